#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <vector>

#include "core/request_id.hpp"
#include "tests/net/server_bench.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace {

/// One request that is answered with this status, and whether the connection lives on after it.
core::Task<> expect_answer(ServerBench& bench, std::string bytes, int status, bool lives_on) {
  RawPeer client = co_await bench.connect();
  Received const answer = co_await client.ask(bytes);
  CHECK_FALSE(answer.closed);
  CHECK(answer.status() == status);
  CHECK(answer.header("Connection") == (lives_on ? "none" : "close"));
  CHECK(answer.header("X-Request-Id").size() == 26);
  if (lives_on) {
    Received const next = co_await client.ask(get("/hello"));
    CHECK(next.status() == 200);
  } else {
    bool const ended = co_await client.ends();
    CHECK(ended);
  }
}

void check_answer(std::string const& bytes, int status, bool lives_on) {
  CAPTURE(bytes.substr(0, 80));
  ServerBench bench;
  bench.run(expect_answer(bench, bytes, status, lives_on));
}

core::Task<> two_requests(ServerBench& bench) {
  RawPeer client = co_await bench.connect();
  Received const first = co_await client.ask(get("/hello?a=b"));
  CHECK(first.status() == 200);
  CHECK(first.body == "GET /hello?a=b ");
  CHECK(first.header("Connection") == "none");
  CHECK(first.header("Cache-Control") == "no-store");
  CHECK(first.header("X-Content-Type-Options") == "nosniff");
  Received const second = co_await client.ask(post("/json", R"({"a":1})"));
  CHECK(second.body == R"(POST /json? {"a":1})");
  CHECK(bench.server->connections() == 1);
}

core::Task<> pipelined(ServerBench& bench) {
  RawPeer client = co_await bench.connect();
  co_await client.send(post("/json", "1") + "\r\n" + get("/hello") + post("/any", "22") + get("/last"));
  for (std::string const expected : {"POST /json? 1", "GET /hello? ", "POST /any? 22", "bye"}) {
    Received const answer = co_await client.receive();
    CHECK(answer.body == expected);
  }
  bool const ended = co_await client.ends();
  CHECK(ended);
}

core::Task<> byte_by_byte(ServerBench& bench) {
  RawPeer client = co_await bench.connect();
  std::string const request = "\r\n" + post("/json", "12345");
  for (char const byte : request) co_await client.send(std::string(1, byte));
  Received const answer = co_await client.receive();
  CHECK(answer.body == "POST /json? 12345");
}

}  // namespace

TEST_CASE("a connection serves one request after the other, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    bench.run(two_requests(bench));
    CHECK(bench.logged(R"("msg":"request")"));
  }
}

TEST_CASE("requests that come at once are answered in their order, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    bench.run(pipelined(bench));
  }
}

TEST_CASE("a request may come in any pieces, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    bench.run(byte_by_byte(bench));
  }
}

TEST_CASE("HEAD is answered with GET's length and no body") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    co_await client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    Received const head = co_await client.receive(true);
    CHECK(head.status() == 200);
    CHECK(head.header("Content-Length") == std::to_string(std::string("HEAD /hello? ").size()));
    Received const next = co_await client.ask(get("/hello"));
    CHECK(next.body == "GET /hello? ");
  };
  bench.run(test());
}

TEST_CASE("what the head alone decides is answered by its status, and the connection lives on where it can") {
  check_answer(get("/nothing"), 404, true);
  check_answer(post("/hello", ""), 405, true);
  check_answer(post("/nothing", "body"), 404, true);
  check_answer("POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 415, true);
  check_answer("POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
               415, true);
  check_answer(
      "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{}", 415,
      true);
  check_answer(
      "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: Application/JSON; charset=utf-8\r\nContent-Length: "
      "2\r\n\r\n{}",
      200, true);
  check_answer(get("/hello", "Connection: close\r\n"), 200, false);
  check_answer(get("/hello", "Connection: keep-alive\r\nConnection: close\r\n"), 200, false);
  check_answer("GET /hello HTTP/1.0\r\n\r\n", 200, false);
  check_answer(get("/last"), 200, false);
}

TEST_CASE("a request whose end is not clear is answered and the connection ends") {
  check_answer("POST /json HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, false);
  check_answer("GET /" + std::string(limits::request_line_bytes_max, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
               414, false);
  check_answer("GET /" + std::string(3 * limits::header_bytes_max, 'a'), 414, false);
  check_answer(get("/hello", "X: " + std::string(limits::header_bytes_max, 'a') + "\r\n"), 431, false);
  check_answer("GET /hello HTTP/1.1\r\n\r\n", 400, false);
  check_answer("GET /hello HTTP/1.1\nHost: a\n\n", 400, false);
  check_answer("\x16\x03\x01\x02\x01\xfc\x03\x03\r\n\r\n", 400, false);
  check_answer(get("/hello", "Upgrade: h2c\r\n"), 400, false);
}

TEST_CASE("a body is taken up to its limit and refused beyond") {
  check_answer(post("/json", std::string(limits::body_bytes_max, ' ')), 200, true);
  check_answer(post("/json", std::string(limits::body_bytes_max + 1, ' ')), 413, false);
  check_answer(
      "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "
      "999999999999\r\n\r\n",
      413, false);
}

TEST_CASE("what every answer of a route carries is also on the answer to a body that is too long") {
  ServerBench bench;
  auto const test = [&]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer =
        co_await client.ask(post("/annotated", std::string(limits::body_bytes_max + 1, ' ')));
    CHECK(answer.status() == 413);
    CHECK(answer.header("X-Annotated") == "yes");
  };
  bench.run(test());
}

TEST_CASE("a refusal before the body has come ends the connection") {
  check_answer("POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", 404, false);
  check_answer(
      "POST /gate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n", 403,
      false);
  check_answer(post("/gate", "{}"), 403, true);
  check_answer(post("/gate", "{}", "X-Admitted: 1\r\n"), 200, true);
}

TEST_CASE("405 names the methods that are there") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const hello = co_await client.ask(post("/hello", "{}"));
    CHECK(hello.header("Allow") == "GET, HEAD");
    Received const json = co_await client.ask(get("/json"));
    CHECK(json.status() == 405);
    CHECK(json.header("Allow") == "POST");
  };
  bench.run(test());
}

TEST_CASE("a client that waits for a go-ahead gets it, and only when its body is wanted") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    std::string const head =
        "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: "
        "100-continue\r\n\r\n";
    RawPeer client = co_await bench.connect();
    Received const go_ahead = co_await client.ask(head);
    CHECK(go_ahead.head == "HTTP/1.1 100 Continue\r\n\r\n");
    Received const answer = co_await client.ask("{}");
    CHECK(answer.body == "POST /json? {}");

    Received const at_once = co_await client.ask(head + "[]");
    CHECK(at_once.body == "POST /json? []");

    std::string const unwanted =
        "POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    Received const refused = co_await client.ask(unwanted);
    CHECK(refused.status() == 404);
  };
  bench.run(test());
}

TEST_CASE("a handler that throws is answered with 500, tells nothing and leaves a log line") {
  for (std::string const query : {"", "?odd"}) {
    CAPTURE(query);
    ServerBench bench;
    auto test = [&bench, &query]() -> core::Task<> {
      RawPeer client = co_await bench.connect();
      Received const answer = co_await client.ask(get("/fail" + query));
      CHECK(answer.status() == 500);
      CHECK(answer.body == "refused");
      Received const next = co_await client.ask(get("/hello"));
      CHECK(next.status() == 200);
    };
    bench.run(test());
    CHECK(bench.logged("handler_failed"));
    CHECK(bench.logged("the secret reason") == query.empty());
  }
}

TEST_CASE("a request id is taken over where it is well-formed, and made where not") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const given = co_await client.ask(get("/hello", "x-request-id: my-id.1\r\n"));
    CHECK(given.header("X-Request-Id") == "my-id.1");
    Received const bad = co_await client.ask(get("/nothing", "X-Request-Id: my id\r\n"));
    CHECK(bad.header("X-Request-Id").size() == 26);
    CHECK(core::is_request_id(bad.header("X-Request-Id")));
    Received const none = co_await client.ask(get("/hello"));
    CHECK(none.header("X-Request-Id").size() == 26);
    CHECK(none.header("X-Request-Id") != bad.header("X-Request-Id"));
    Received const two = co_await client.ask(get("/hello", "X-Request-Id: a\r\nX-Request-Id: b\r\n"));
    CHECK(two.header("X-Request-Id").size() == 26);
  };
  bench.run(test());
  CHECK(bench.logged(R"("request_id":"my-id.1")"));
}

TEST_CASE("a raw answer is sent as it is, then the connection ends, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      RawPeer client = co_await bench.connect();
      Received const half = co_await client.ask(get("/broken"));
      CHECK(half.closed);
      CHECK(half.head == "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
      RawPeer other = co_await bench.connect();
      Received const nothing = co_await other.ask(get("/silent"));
      CHECK(nothing.closed);
      CHECK(nothing.head.empty());
    };
    bench.run(test());
  }
}

TEST_CASE("a thousand requests end a connection, and the last answer says so") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    for (std::size_t i = 1; i < limits::requests_per_connection_max; ++i) {
      Received const answer = co_await client.ask(get("/hello"));
      REQUIRE(answer.header("Connection") == "none");
    }
    Received const last = co_await client.ask(get("/hello"));
    CHECK(last.status() == 200);
    CHECK(last.header("Connection") == "close");
    bool const ended = co_await client.ends();
    CHECK(ended);
  };
  bench.run(test());
}

TEST_CASE("connections beyond the limit are turned away, and accepted again when others have ended") {
  ServerBench bench(false, {.connections_max = 1});
  auto test = [&bench]() -> core::Task<> {
    {
      RawPeer first = co_await bench.connect();
      Received const served = co_await first.ask(get("/hello"));
      CHECK(served.status() == 200);
      RawPeer second = co_await bench.connect();
      bool const refused = co_await second.ends();
      CHECK(refused);
      Received const goodbye = co_await first.ask(get("/last"));
      CHECK(goodbye.status() == 200);
      bool const ended = co_await first.ends();
      CHECK(ended);
    }
    while (bench.server->connections() > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    RawPeer third = co_await bench.connect();
    Received const again = co_await third.ask(get("/hello"));
    CHECK(again.status() == 200);
  };
  bench.run(test());
}

TEST_CASE("stop ends idle connections at once and busy ones after their answer") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      RawPeer idle = co_await bench.connect();
      Received const served = co_await idle.ask(get("/hello"));
      CHECK(served.status() == 200);
      RawPeer busy = co_await bench.connect();
      co_await busy.send(get("/wait"));
      while (!bench.waiting) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);

      bench.server->stop();
      bool const idle_ended = co_await idle.ends();
      CHECK(idle_ended);
      bool const drained_early = co_await bench.server->drain(bench.clock.steady());
      CHECK_FALSE(drained_early);
      bench.go_on.notify_all();
      Received const answer = co_await busy.receive();
      CHECK(answer.body == "GET /wait? ");
      CHECK(answer.header("Connection") == "close");
      bool const busy_ended = co_await busy.ends();
      CHECK(busy_ended);
      busy.stream().close();
      bool const drained = co_await bench.server->drain(bench.clock.steady() + patience);
      CHECK(drained);
    };
    bench.run(test());
  }
}

TEST_CASE("who has connected when the server stops is still answered, once") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      RawPeer client = co_await bench.connect();  // with TLS its handshake is done, too
      while (bench.server->connections() == 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
      bench.server->stop();
      Received const answer = co_await client.ask(get("/hello"));
      CHECK(answer.status() == 200);
      CHECK(answer.header("Connection") == "close");
      client.stream().close();
      bool const drained = co_await bench.server->drain(bench.clock.steady() + patience);
      CHECK(drained);
    };
    bench.run(test());
  }
}

TEST_CASE("who has connected and says nothing holds up a stop for its last word, no longer") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer silent = co_await bench.connect();
    while (bench.server->connections() == 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    bench.server->stop();
    bool const drained = co_await bench.server->drain(bench.clock.steady() + limits::drain_time);
    CHECK(drained);
    bool const ended = co_await silent.ends();
    CHECK(ended);
  };
  bench.run(test());
}

TEST_CASE("an inherited socket listens on when its server stops, and the next one answers who waited") {
  asio::io_context holder;
  asio::ip::tcp::acceptor held(holder, {asio::ip::make_address("127.0.0.1"), 0});
  auto const inherited = [&held] {
    net::HttpServerOptions options;
    options.port = held.local_endpoint().port();
    options.inherited_socket = ::dup(held.native_handle());
    return options;
  };
  {
    ServerBench first(false, inherited());
    CHECK(first.port == held.local_endpoint().port());
    first.run([]() -> core::Task<> { co_return; }());
  }
  asio::ip::tcp::socket waiting(holder);
  waiting.connect(held.local_endpoint());
  std::string const request = get("/hello");
  asio::write(waiting, asio::buffer(request));
  ServerBench second(false, inherited());
  auto test = [&second]() -> core::Task<> {
    while (second.handled.empty()) co_await second.clock.sleep_until(second.clock.steady() + 1ms);
  };
  second.run(test());
  std::array<char, 12> answer{};
  asio::read(waiting, asio::buffer(answer));
  CHECK(std::string_view(answer.data(), answer.size()) == "HTTP/1.1 200");
}

TEST_CASE("a client that leaves while its request is handled does not stop the handler") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      {
        RawPeer client = co_await bench.connect();
        co_await client.send(get("/wait"));
        while (!bench.waiting) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
      }
      CHECK(bench.handled.empty());
      bench.go_on.notify_all();
      while (bench.server->connections() > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
      CHECK(bench.handled == std::vector<std::string>{"/wait"});
    };
    bench.run(test());
  }
}

TEST_CASE("a client that stops half way is told so, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    for (std::string const half :
         {"GET /hello HTT", "POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"}) {
      CAPTURE(with_tls);
      CAPTURE(half);
      ServerBench bench(with_tls);
      auto test = [&bench, &half]() -> core::Task<> {
        RawPeer client = co_await bench.connect();
        bench.clock.lag = limits::header_time - 100ms;
        static_assert(limits::header_time == limits::body_time);
        Received const answer = co_await client.ask(half);
        CHECK(answer.status() == 408);
        CHECK(answer.header("Connection") == "close");
        bool const ended = co_await client.ends();
        CHECK(ended);
      };
      bench.run(test());
      CHECK(bench.handled.empty());
    }
  }
}

TEST_CASE("a request that is refused by its head keeps its id, and its client's language") {
  std::string const said = "X-Request-Id: my-id.1\r\nAccept-Language: en\r\n";
  for (std::string const& head :
       {get("/hello", said + "Transfer-Encoding: chunked\r\n"),
        get("/hello", "Content-Length: 1\r\nContent-Length: 2\r\n" + said),
        get("/hello", said + "X: " + std::string(limits::header_bytes_max, 'a') + "\r\n"),
        get("/hello", said + "X: " + std::string(3 * limits::header_bytes_max, 'a') + "\r\n"),
        "GET /hello HTTP/1.1\nHost: a\n" + said + "\n"}) {
    CAPTURE(head.substr(0, 100));
    ServerBench bench;
    auto test = [&bench, &head]() -> core::Task<> {
      RawPeer client = co_await bench.connect();
      Received const answer = co_await client.ask(head);
      CHECK(answer.status() >= 400);
      CHECK(answer.header("X-Request-Id") == "my-id.1");
      CHECK(answer.body == "refused en");
      CHECK(answer.header("Connection") == "close");
    };
    bench.run(test());
    CHECK(bench.logged(R"("request_id":"my-id.1")"));
  }
  check_answer(get("/hello", "X-Request-Id: a\r\nX-Request-Id: b\r\nUpgrade: h2c\r\n"), 400, false);
}

TEST_CASE("a client that says nothing is left without a word") {
  ServerBench bench;
  bench.clock.lag = limits::first_byte_time - 50ms;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    bool const ended = co_await client.ends();
    CHECK(ended);
  };
  bench.run(test());
}

TEST_CASE("a handler may take longer than the request was given to arrive, plain and with TLS") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      RawPeer client = co_await bench.connect();
      Received const answer = co_await client.ask(post("/outlast", "slow"));
      CHECK(answer.body == "POST /outlast? slow");
      Received const next = co_await client.ask(get("/hello"));
      CHECK(next.status() == 200);
    };
    bench.run(test());
  }
}

TEST_CASE("a client without TLS on a TLS listener is sent away") {
  ServerBench bench(true);
  bench.trust.reset();
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer = co_await client.ask(get("/hello"));
    CHECK(answer.closed);
    CHECK(answer.status() == 0);
  };
  bench.run(test());
  CHECK(bench.handled.empty());
}

TEST_CASE("a new certificate is for new connections, and the old ones live on with theirs") {
  ServerBench bench(true);
  auto test = [&bench]() -> core::Task<> {
    RawPeer old = co_await bench.connect();
    Received const before = co_await old.ask(get("/hello"));
    CHECK(before.status() == 200);
    TestAuthority const other;
    bench.server->use(server_tls(other.issue({})));
    bench.trust = client_tls(other.pem());
    RawPeer fresh = co_await bench.connect();
    Received const after = co_await fresh.ask(get("/hello"));
    CHECK(after.status() == 200);
    Received const still = co_await old.ask(get("/hello"));
    CHECK(still.status() == 200);
  };
  bench.run(test());
}

TEST_CASE("an address that is taken or none is said in a sentence") {
  ServerBench bench;
  auto const same = [&bench](std::string const& address) {
    net::HttpServer second(bench.loop, bench.clock, bench.log, net::Router({}, nullptr),
                           {.listener = "second", .address = address, .port = bench.port});
    auto const started = second.start();
    REQUIRE(started.has_error());
    return started.error();
  };
  CHECK(same("127.0.0.1").starts_with("cannot listen on 127.0.0.1:" + std::to_string(bench.port) + ": "));
  CHECK(same("localhost") == "not an IP address: localhost");
  auto test = []() -> core::Task<> { co_return; };
  bench.run(test());
}
