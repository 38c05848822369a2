#include "net/wechat/wechat_client.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "net/server/http_server.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// The HttpServer in WeChat's place, noting what it is asked.
struct ServerBench : NetBench {
  struct Seen {
    std::string method, path, query, host, length, type, encoding, body;
  };

  TestAuthority authority;
  std::vector<Seen> seen;
  std::unique_ptr<net::HttpServer> server;
  unsigned short port = 0;

  explicit ServerBench(TestAuthority::Wish const& wish = {}) {
    auto const answer = [this](net::Request const& request) { return note(request); };
    net::Router routes(
        {{.method = "POST",
          .path = "/wxa/business/getuserphonenumber",
          .body = net::Body::json,
          .handle = answer},
         {.method = "POST", .path = "/base/cgi-bin/stable_token", .body = net::Body::json, .handle = answer}},
        [](net::Refusal, std::string_view, net::Request const&) { return net::Response{.status = 400}; });
    server = std::make_unique<net::HttpServer>(
        loop, clock, log, std::move(routes),
        net::HttpServerOptions{
            .listener = "wechat", .address = "127.0.0.1", .tls = server_tls(authority.issue(wish))});
    auto const bound = server->start();
    REQUIRE(bound.has_value());
    port = port_of(*bound);
  }

  [[nodiscard]] std::unique_ptr<net::WeChatClient> client(std::string const& base_path = {}) {
    return client_that_trusts(authority.pem(), base_path);
  }
  [[nodiscard]] std::unique_ptr<net::WeChatClient> client_that_trusts(std::string const& ca_pem,
                                                                      std::string const& base_path = {}) {
    net::WeChatRoute route{.addresses = {{.host = "127.0.0.1", .port = port, .base_path = base_path}}};
    return std::make_unique<net::WeChatClient>(loop.get_executor(), clock, client_tls(ca_pem),
                                               std::move(route));
  }

  void run(core::Task<> test, net::WeChatClient& client) {
    NetBench::run(std::move(test), [this, &client] {
      client.stop();
      server->stop();
    });
  }

  core::Task<net::Response> note(net::Request const& request) {
    auto const field = [&request](std::string_view name) {
      return std::string(request.header(name).value_or("none"));
    };
    seen.push_back({.method = std::string(request.method),
                    .path = std::string(request.path),
                    .query = std::string(request.query),
                    .host = field("Host"),
                    .length = field("Content-Length"),
                    .type = field("Content-Type"),
                    .encoding = field("Transfer-Encoding"),
                    .body = std::string(request.body)});
    net::Response response{.body = R"({"errcode":0})"};
    response.headers.emplace_back("Date", "Mon, 23 Nov 2026 03:00:00 GMT");
    co_return response;
  }
};

}  // namespace

TEST_CASE("a code is posted as WeChat wants it") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await send_code(*client, bench.clock, "68_a+b/c=&?#");
    CHECK(reply.delivery == Delivery::answered);
    CHECK(reply.failure == TransportFailure::none);
    CHECK(reply.http_status == 200);
    CHECK(reply.body == R"({"errcode":0})");
    CHECK(reply.date == "Mon, 23 Nov 2026 03:00:00 GMT");
  };
  bench.run(test(), *client);
  REQUIRE(bench.seen.size() == 1);
  ServerBench::Seen const& seen = bench.seen.front();
  CHECK(seen.method == "POST");
  CHECK(seen.path == "/wxa/business/getuserphonenumber");
  CHECK(seen.query == "access_token=68_a%2Bb%2Fc%3D%26%3F%23");
  CHECK(seen.host == "127.0.0.1:" + std::to_string(bench.port));
  CHECK(seen.body == R"({"code":"a-code"})");
  CHECK(seen.length == std::to_string(seen.body.size()));
  CHECK(seen.type == "application/json");
  CHECK(seen.encoding == "none");
}

TEST_CASE("a token is asked for in normal mode, under the base path") {
  ServerBench bench;
  auto const client = bench.client("/base");
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply =
        co_await client->get_access_token(core::TokenEndpoint::stable, "wx0123456789abcdef",
                                          core::AppSecret("a\"secret"), bench.clock.steady() + patience);
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test(), *client);
  REQUIRE(bench.seen.size() == 1);
  CHECK(bench.seen.front().path == "/base/cgi-bin/stable_token");
  CHECK(bench.seen.front().query.empty());
  CHECK(
      bench.seen.front().body ==
      R"({"grant_type":"client_credential","appid":"wx0123456789abcdef","secret":"a\"secret","force_refresh":false})");
}

TEST_CASE("one connection serves one request after the other") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    CHECK(client->take_line() == nullptr);
    for (int i = 0; i < 5; ++i) {
      WeChatReply const reply = co_await send_code(*client, bench.clock);
      CHECK(reply.delivery == Delivery::answered);
      CHECK(bench.server->connections() == 1);
    }
    CHECK(client->take_line() != nullptr);
  };
  bench.run(test(), *client);
  CHECK(bench.seen.size() == 5);
}

TEST_CASE("a line that was opened ahead is used, and goes back when it was not") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::LineResult opened = co_await client->open_line(bench.clock.steady() + patience);
    REQUIRE(opened.line != nullptr);
    CHECK(client->take_line() == nullptr);
    opened.line.reset();
    WeChatReply const reply = co_await send_code(*client, bench.clock);
    CHECK(reply.delivery == Delivery::answered);
    CHECK(bench.server->connections() == 1);
  };
  bench.run(test(), *client);
}

TEST_CASE("two at once take two lines") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::LineResult const first = co_await client->open_line(bench.clock.steady() + patience);
    core::LineResult const second = co_await client->open_line(bench.clock.steady() + patience);
    CHECK(first.line != nullptr);
    CHECK(second.line != nullptr);
  };
  bench.run(test(), *client);
}

TEST_CASE("a line that has been idle too long is not used again") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::LineResult opened = co_await client->open_line(bench.clock.steady() + patience);
    REQUIRE(opened.line != nullptr);
    bench.clock.lag = -(core::limits::wechat_idle_time + 1s);
    opened.line.reset();
    CHECK(client->take_line() == nullptr);
  };
  bench.run(test(), *client);
}

TEST_CASE("a line that was taken in time and is written to too late is replaced before any byte") {
  PeerBench bench;
  bench.peer.answers_always = true;
  auto test = [&]() -> core::Task<> {
    core::LineResult opened = co_await bench.client.open_line(bench.clock.steady() + patience);
    REQUIRE(opened.line != nullptr);
    bench.clock.lag = -(core::limits::wechat_idle_time + 1s);
    WeChatReply const reply = co_await bench.client.get_user_phone_number(
        std::move(opened.line), core::AccessToken("t"), core::Code("c"), core::OpenId(), patience,
        bench.clock.steady() + patience);
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.connections == 2);
  CHECK(bench.peer.requests.size() == 1);
}

TEST_CASE("a line that goes back unused has been idle since it was used") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::LineResult opened = co_await client->open_line(bench.clock.steady() + patience);
    REQUIRE(opened.line != nullptr);
    opened.line.reset();
    bench.clock.lag = -(core::limits::wechat_idle_time - 1s);
    auto taken = client->take_line();
    CHECK(taken != nullptr);
    taken.reset();
    bench.clock.lag -= 2s;
    CHECK(client->take_line() == nullptr);
  };
  bench.run(test(), *client);
}

TEST_CASE("a line is left after a minute, however busy it was") {
  PeerBench bench;
  bench.peer.answers_always = true;
  auto test = [&]() -> core::Task<> {
    while (-bench.clock.lag < core::limits::wechat_line_time) {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
      CHECK(bench.peer.connections == 1);
      bench.clock.lag -= 4s;
    }
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.connections == 2);
}

TEST_CASE("a certificate that does not hold stops everything before a byte of the request") {
  struct Row {
    TestAuthority::Wish wish;
    bool trusted;
    char const* reason;
  };
  for (Row const& row : {Row{{.names = "DNS:api.weixin.qq.com"}, true, "IP address mismatch"},
                         Row{{.names = "IP:127.0.0.2"}, true, "IP address mismatch"},
                         Row{{.from_s = -7200, .until_s = -3600}, true, "certificate has expired"},
                         Row{{.from_s = 3600, .until_s = 7200}, true, "certificate is not yet valid"},
                         Row{{.self_signed = true}, true, "self-signed certificate"},
                         Row{{}, false, "unable to get local issuer certificate"}}) {
    CAPTURE(row.reason);
    ServerBench bench(row.wish);
    TestAuthority const stranger;
    auto const client = bench.client_that_trusts(row.trusted ? bench.authority.pem() : stranger.pem());
    std::string const detail = "127.0.0.1:" + std::to_string(bench.port) + ": " + row.reason;
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await send_code(*client, bench.clock);
      CHECK(reply.delivery == Delivery::not_sent);
      CHECK(reply.failure == TransportFailure::tls);
      CHECK(reply.failure_detail == detail);
      core::LineResult const line = co_await client->open_line(bench.clock.steady() + patience);
      CHECK(line.line == nullptr);
      CHECK(line.failure == TransportFailure::tls);
      CHECK(line.failure_detail == detail);
    };
    bench.run(test(), *client);
    CHECK(bench.seen.empty());
  }
}

TEST_CASE("a host name is verified as well as an address") {
  struct Row {
    char const* names;
    bool holds;
  };
  for (Row const& row :
       {Row{"DNS:localhost", true}, Row{"DNS:api.weixin.qq.com", false}, Row{"IP:127.0.0.1", false}}) {
    CAPTURE(row.names);
    ServerBench bench({.names = row.names});
    net::WeChatClient client(bench.loop.get_executor(), bench.clock, client_tls(bench.authority.pem()),
                             {.addresses = {{.host = "localhost", .port = bench.port}}});
    net::TaskGroup tasks(bench.loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); });
    tasks.spawn(client.run());
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await send_code(client, bench.clock);
      CHECK(reply.delivery == (row.holds ? Delivery::answered : Delivery::not_sent));
    };
    bench.run(test(), client);
    CHECK(bench.seen.size() == (row.holds ? 1 : 0));
  }
}

TEST_CASE("where nobody listens nothing was sent") {
  PeerBench bench;
  bench.peer.stop();
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::not_sent);
    CHECK(reply.failure == TransportFailure::connect);
    CHECK(reply.failure_detail == "127.0.0.1:" + std::to_string(bench.peer.port()) + ": Connection refused");
  };
  bench.run(test());
}

TEST_CASE("an openid goes along when there is one") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::SteadyTime const deadline = bench.clock.steady() + patience;
    WeChatReply const reply = co_await client->get_user_phone_number(
        nullptr, core::AccessToken("t"), core::Code("c"), core::OpenId("o1"), patience, deadline);
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test(), *client);
  REQUIRE(bench.seen.size() == 1);
  CHECK(bench.seen.front().body == R"({"code":"c","openid":"o1"})");
}

TEST_CASE("after its deadline nothing is sent") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    core::LineResult opened = co_await client->open_line(bench.clock.steady() + patience);
    WeChatReply const reply =
        co_await client->get_user_phone_number(std::move(opened.line), core::AccessToken("t"),
                                               core::Code("c"), core::OpenId(), 1s, bench.clock.steady());
    CHECK(reply.delivery == Delivery::not_sent);
    CHECK(reply.failure == TransportFailure::timeout);
  };
  bench.run(test(), *client);
  CHECK(bench.seen.empty());
}

TEST_CASE("a line that the other side has closed is replaced before any byte") {
  PeerBench bench;
  bench.peer.answers.push_back({.bytes = ok_answer, .then_close = true});
  bench.peer.answers.push_back({.bytes = ok_answer});
  auto test = [&]() -> core::Task<> {
    WeChatReply const first = co_await bench.send();
    CHECK(first.delivery == Delivery::answered);
    while (bench.peer.open > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    WeChatReply const second = co_await bench.send();
    CHECK(second.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.connections == 2);
  CHECK(bench.peer.requests.size() == 2);
}

TEST_CASE("a line that closes after it was taken is replaced before any byte, too") {
  PeerBench bench;
  bench.peer.answers.push_back({.bytes = ok_answer, .closes_when_told = true});
  bench.peer.answers.push_back({.bytes = ok_answer});
  auto test = [&]() -> core::Task<> {
    WeChatReply const first = co_await bench.send();
    CHECK(first.delivery == Delivery::answered);
    auto line = bench.client.take_line();
    REQUIRE(line != nullptr);
    bench.peer.hang_up.notify_all();
    while (bench.peer.open > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    WeChatReply const second = co_await bench.client.get_user_phone_number(
        std::move(line), core::AccessToken("t"), core::Code("c"), core::OpenId(), patience,
        bench.clock.steady() + patience);
    CHECK(second.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.requests.size() == 2);
}

TEST_CASE("after a lost answer the line is not used again") {
  PeerBench bench;
  bench.peer.answers.push_back({.bytes = "", .stays_silent = true});
  bench.peer.answers.push_back({.bytes = ok_answer});
  auto test = [&]() -> core::Task<> {
    WeChatReply const late = co_await bench.send(100ms);
    CHECK(late.failure == TransportFailure::timeout);
    CHECK(bench.client.take_line() == nullptr);
    WeChatReply const next = co_await bench.send();
    CHECK(next.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.connections == 2);
}

TEST_CASE("a line that the other side will close, or that said too much, is not kept") {
  for (std::string const& bytes :
       {std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"), std::string(ok_answer) + "more"}) {
    CAPTURE(bytes);
    PeerBench bench;
    bench.peer.answers.push_back({.bytes = bytes, .then_close = false});
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
      CHECK(reply.body == "{}");
      CHECK(bench.client.take_line() == nullptr);
    };
    bench.run(test());
  }
}

TEST_CASE("a stopped client keeps no line") {
  ServerBench bench;
  auto const client = bench.client();
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await send_code(*client, bench.clock);
    CHECK(reply.delivery == Delivery::answered);
    client->stop();
    CHECK(client->take_line() == nullptr);
  };
  bench.run(test(), *client);
}
