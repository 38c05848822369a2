#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/net/server_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

std::vector<net::AddressRange> ranges(std::string const& text) { return {*net::AddressRange::parse(text)}; }

std::string forwarded(std::string const& hops) { return get("/sender", "X-Forwarded-For: " + hops + "\r\n"); }

/// A PROXY protocol header of version 2.
std::string proxy_header(char command, char family, std::string const& rest) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += command;
  header += family;
  header += static_cast<char>(rest.size() / 256);
  header += static_cast<char>(rest.size() % 256);
  return header + rest;
}

std::string const from_198_51_100_1 =
    proxy_header('\x21', '\x11', std::string("\xC6\x33\x64\x01\x7F\x00\x00\x01\x12\x67\x01\xBB", 12));
std::string const from_2001_db8_7 = proxy_header('\x21', '\x21',
                                                 std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') +
                                                     "\x07" + std::string(16 + 4, '\0') + "a TLV");

core::Task<RawPeer> connect_in_the_clear(ServerBench& bench) {
  return RawPeer::connect(bench.loop, bench.port, std::nullopt);
}

std::size_t count_of(std::vector<std::string> const& lines, std::string const& text) {
  std::size_t count = 0;
  for (std::string const& line : lines) count += line.find(text) == std::string::npos ? 0 : 1;
  return count;
}

/// Takes every descriptor that is left; gives them back at its end.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    ::rlimit lowered = before_;
    constexpr rlim_t enough = 256;
    lowered.rlim_cur = std::min<rlim_t>(before_.rlim_cur, enough);
    ::setrlimit(RLIMIT_NOFILE, &lowered);
    for (int taken = ::dup(STDERR_FILENO); taken >= 0; taken = ::dup(STDERR_FILENO)) taken_.push_back(taken);
  }
  NoDescriptorsLeft(NoDescriptorsLeft const&) = delete;
  NoDescriptorsLeft& operator=(NoDescriptorsLeft const&) = delete;
  ~NoDescriptorsLeft() { give_back(); }

  void give_back() {
    for (int const descriptor : std::exchange(taken_, {})) ::close(descriptor);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  ::rlimit before_{};
  std::vector<int> taken_;
};

}  // namespace

TEST_CASE("the sender of a request is its peer, whatever it says about itself") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer = co_await client.ask(forwarded("198.51.100.1"));
    CHECK(answer.body == "127.0.0.1 127.0.0.1. /sender /sender");
  };
  bench.run(test());
  CHECK(bench.logged(R"("remote":"127.0.0.1")"));
}

TEST_CASE("behind a trusted proxy the sender is whom the proxy names, in the log, too") {
  ServerBench bench(false, {.trusted_proxies = ranges("127.0.0.0/8")});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const answer = co_await client.ask(forwarded("1.1.1.1, 198.51.100.1"));
    CHECK(answer.body == "198.51.100.1 198.51.100.1. /sender /sender");
    std::string const two = "X-Forwarded-For: 2001:db8::1\r\nx-forwarded-for: 127.0.0.9\r\n";
    Received const next = co_await client.ask(get("/sender", two));
    CHECK(next.body == "2001:db8::1 32.1.13.184.0.0.0.0. /sender /sender");
  };
  bench.run(test());
  CHECK(bench.logged(R"("remote":"198.51.100.1")"));
}

TEST_CASE("behind a trusted proxy the log names the sender of a refused request, too") {
  ServerBench bench(false, {.trusted_proxies = ranges("127.0.0.0/8")});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    std::string const fields = "X-Forwarded-For: 198.51.100.1\r\nTransfer-Encoding: chunked\r\n";
    Received const answer = co_await client.ask(get("/sender", fields));
    CHECK(answer.status() == 411);
  };
  bench.run(test());
  CHECK(bench.logged(R"("remote":"198.51.100.1")"));
}

TEST_CASE("a proxy that nobody has named is told of once, with the line to add") {
  ServerBench bench(false, {.expects_proxies = true});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const quiet = co_await client.ask(get("/sender"));
    CHECK(quiet.status() == 200);
    CHECK_FALSE(bench.logged("proxy_not_trusted"));
    for (int i = 0; i < 3; ++i) {
      Received const answer = co_await client.ask(forwarded("198.51.100.1"));
      CHECK(answer.status() == 200);
    }
  };
  bench.run(test());
  CHECK(count_of(bench.lines, "proxy_not_trusted") == 1);
  CHECK(bench.logged("ONETAP_TRUSTED_PROXIES=127.0.0.1\""));
}

TEST_CASE("a path is served with its prefix and without, and what was signed has it") {
  ServerBench bench(false, {.path_prefix = "/onetap"});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await bench.connect();
    Received const with = co_await client.ask(get("/onetap/sender?a=b"));
    CHECK(with.body == "127.0.0.1 127.0.0.1. /onetap/sender?a=b /sender");
    Received const without = co_await client.ask(get("/sender?a=b"));
    CHECK(without.body == "127.0.0.1 127.0.0.1. /onetap/sender?a=b /sender");
    Received const other = co_await client.ask(get("/twotap/sender"));
    CHECK(other.status() == 404);
  };
  bench.run(test());
  CHECK(count_of(bench.lines, R"("path":"/sender")") == 2);
}

TEST_CASE("with the PROXY protocol a connection is its source's, before TLS and in the clear") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls, {.trusted_proxies = ranges("127.0.0.1"), .proxy_protocol = true});
    auto test = [&bench]() -> core::Task<> {
      RawPeer first = co_await RawPeer::connect(bench.loop, bench.port, bench.trust, from_198_51_100_1);
      Received const ipv4 = co_await first.ask(get("/sender"));
      CHECK(ipv4.body == "198.51.100.1 198.51.100.1. /sender /sender");
      RawPeer second = co_await RawPeer::connect(bench.loop, bench.port, bench.trust, from_2001_db8_7);
      Received const ipv6 = co_await second.ask(get("/sender"));
      CHECK(ipv6.body == "2001:db8::7 32.1.13.184.0.0.0.0. /sender /sender");
      std::string const local = proxy_header('\x20', '\0', "");
      RawPeer third = co_await RawPeer::connect(bench.loop, bench.port, bench.trust, local);
      Received const health = co_await third.ask(get("/sender"));
      CHECK(health.body == "127.0.0.1 127.0.0.1. /sender /sender");
    };
    bench.run(test());
  }
}

TEST_CASE("the source that a PROXY header names is no proxy: its X-Forwarded-For is not believed") {
  ServerBench bench(false, {.trusted_proxies = ranges("127.0.0.1"), .proxy_protocol = true});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await connect_in_the_clear(bench);
    Received const answer = co_await client.ask(from_198_51_100_1 + forwarded("1.1.1.1"));
    CHECK(answer.body == "198.51.100.1 198.51.100.1. /sender /sender");
  };
  bench.run(test());
}

TEST_CASE("with the PROXY protocol nobody is served without its header") {
  ServerBench bench(false, {.trusted_proxies = ranges("127.0.0.1"), .proxy_protocol = true});
  auto test = [&bench]() -> core::Task<> {
    for (std::string const& bytes :
         {get("/sender"), std::string("PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n") + get("/sender"),
          proxy_header('\x21', '\x12', std::string(12, '\1')) + get("/sender"),
          proxy_header('\x21', '\x11', std::string(4, '\1')) + get("/sender"),
          proxy_header('\x21', '\x11', std::string(600, '\1')) + get("/sender")}) {
      RawPeer client = co_await connect_in_the_clear(bench);
      Received const answer = co_await client.ask(bytes);
      CHECK(answer.closed);
      CHECK(answer.head.empty());
    }
  };
  bench.run(test());
  CHECK(count_of(bench.lines, "proxy_header_refused") == 1);
  CHECK(count_of(bench.lines, "\"request\"") == 0);
}

TEST_CASE("with the PROXY protocol a peer that is no trusted proxy is closed, header or not") {
  ServerBench bench(false, {.trusted_proxies = ranges("192.0.2.1"), .proxy_protocol = true});
  auto test = [&bench]() -> core::Task<> {
    RawPeer client = co_await connect_in_the_clear(bench);
    bool const ended = co_await client.ends();
    CHECK(ended);
  };
  bench.run(test());
  CHECK(bench.logged("proxy_header_refused"));
}

TEST_CASE("half a PROXY header or none, and the connection ends with the handshake's time") {
  for (std::string const& beginning : {std::string(), from_198_51_100_1.substr(0, 20)}) {
    CAPTURE(beginning.size());
    ServerBench bench(true, {.trusted_proxies = ranges("127.0.0.1"), .proxy_protocol = true});
    bench.clock.lag = limits::handshake_time - 50ms;
    auto test = [&bench, &beginning]() -> core::Task<> {
      RawPeer client = co_await connect_in_the_clear(bench);
      Received const answer = co_await client.ask(beginning);
      CHECK(answer.closed);
    };
    bench.run(test());
  }
}

TEST_CASE("an address may hold so many connections, and gets another when one of them has ended") {
  ServerBench bench(false, {.connections_per_address_max = 2});
  auto test = [&bench]() -> core::Task<> {
    RawPeer first = co_await bench.connect();
    {
      RawPeer second = co_await bench.connect();
      Received const served = co_await second.ask(get("/hello"));
      CHECK(served.status() == 200);
      for (int i = 0; i < 2; ++i) {
        RawPeer third = co_await bench.connect();
        bool const refused = co_await third.ends();
        CHECK(refused);
      }
    }
    while (bench.server->connections() > 1) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    RawPeer fourth = co_await bench.connect();
    Received const again = co_await fourth.ask(get("/hello"));
    CHECK(again.status() == 200);
    Received const still = co_await first.ask(get("/hello"));
    CHECK(still.status() == 200);
  };
  bench.run(test());
  CHECK(count_of(bench.lines, "connections_of_address_full") == 1);
}

TEST_CASE("a trusted proxy holds as many connections as it likes, its clients by PROXY header do not") {
  ServerBench proxied(false, {.connections_per_address_max = 1, .trusted_proxies = ranges("127.0.0.1")});
  auto by_http = [&proxied]() -> core::Task<> {
    RawPeer first = co_await proxied.connect();
    RawPeer second = co_await proxied.connect();
    Received const one = co_await first.ask(get("/hello"));
    CHECK(one.status() == 200);
    Received const two = co_await second.ask(get("/hello"));
    CHECK(two.status() == 200);
  };
  proxied.run(by_http());

  ServerBench named(
      false,
      {.connections_per_address_max = 1, .trusted_proxies = ranges("127.0.0.1"), .proxy_protocol = true});
  auto by_header = [&named]() -> core::Task<> {
    RawPeer first = co_await connect_in_the_clear(named);
    Received const served = co_await first.ask(from_198_51_100_1 + get("/hello"));
    CHECK(served.status() == 200);
    RawPeer second = co_await connect_in_the_clear(named);
    Received const refused = co_await second.ask(from_198_51_100_1 + get("/hello"));
    CHECK(refused.closed);
    RawPeer other = co_await connect_in_the_clear(named);
    Received const other_served = co_await other.ask(from_2001_db8_7 + get("/hello"));
    CHECK(other_served.status() == 200);
  };
  named.run(by_header());
}

TEST_CASE("connections beyond the limit are told of at once, and then once a minute with their count") {
  ServerBench bench(false, {.connections_max = 1});
  auto test = [&bench]() -> core::Task<> {
    RawPeer first = co_await bench.connect();
    Received const served = co_await first.ask(get("/hello"));
    CHECK(served.status() == 200);
    for (int i = 0; i < 4; ++i) {
      if (i == 3) bench.clock.lag = -limits::repeated_log_interval;  // a minute later
      RawPeer next = co_await bench.connect();
      bool const refused = co_await next.ends();
      CHECK(refused);
    }
  };
  bench.run(test());
  CHECK(count_of(bench.lines, R"("msg":"connections_full","listener":"public","count":1)") == 1);
  CHECK(count_of(bench.lines, R"("msg":"connections_full","listener":"public","count":3)") == 1);
}

TEST_CASE("without a descriptor left a client is closed at once, and the server goes on") {
  ServerBench bench;
  auto test = [&bench]() -> core::Task<> {
    RawPeer early = co_await bench.connect();
    Received const before = co_await early.ask(get("/hello"));
    CHECK(before.status() == 200);
    net::tcp::socket late_socket(bench.loop, net::tcp::v4());
    NoDescriptorsLeft shortage;
    RawPeer late{net::Stream(std::move(late_socket))};
    net::tcp::endpoint const address(asio::ip::make_address("127.0.0.1"), bench.port);
    net::error_code const connected = co_await late.stream().connect(address);
    CHECK_FALSE(connected);
    bool const sent_away = co_await late.ends();
    CHECK(sent_away);
    Received const meanwhile = co_await early.ask(get("/hello"));
    CHECK(meanwhile.status() == 200);
    shortage.give_back();
    RawPeer later = co_await bench.connect();
    Received const after = co_await later.ask(get("/hello"));
    CHECK(after.status() == 200);
  };
  bench.run(test());
  CHECK(count_of(bench.lines, "descriptors_exhausted") == 1);
}

TEST_CASE("a client that never finishes its ClientHello is left when the handshake's time is over") {
  for (std::string const& beginning :
       {std::string(), std::string("\x16"), std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8)}) {
    CAPTURE(beginning.size());
    ServerBench bench(true);
    bench.clock.lag = limits::handshake_time - 50ms;
    auto test = [&bench, &beginning]() -> core::Task<> {
      RawPeer client = co_await connect_in_the_clear(bench);
      if (!beginning.empty()) co_await client.send(beginning);
      bool const ended = co_await client.ends();
      CHECK(ended);
    };
    bench.run(test());
  }
}

TEST_CASE("what cannot become a ClientHello is not waited for") {
  for (std::string const& bytes :
       {std::string("G"), std::string("\x15\x03"), std::string("\x16\x02"),
        std::string("\x80\x2e\x01\x03", 4),
        std::string("\x16\x03\x01\x00\x01\x02", 6),                 // another message than a ClientHello
        std::string("\x16\x03\x01\x00\x05\x01\x00\x00\x01", 9),     // too short to be one
        std::string("\x16\x03\x01\x40\x00\x01\x00\x3f\xfc", 9),     // 16 KiB
        std::string("\x16\x03\x01\x01\x00\x01\x00\x02\x00", 9)}) {  // goes on in a second record
    CAPTURE(bytes);
    ServerBench bench(true);
    auto test = [&bench, &bytes]() -> core::Task<> {
      RawPeer client = co_await connect_in_the_clear(bench);
      co_await client.send(bytes);
      bool const ended = co_await client.ends();
      CHECK(ended);
    };
    bench.run(test());
  }
}

TEST_CASE("clients that have not said a word count as connections of their address") {
  ServerBench bench(true, {.connections_per_address_max = 1});
  auto test = [&bench]() -> core::Task<> {
    {
      RawPeer silent = co_await connect_in_the_clear(bench);
      RawPeer second = co_await connect_in_the_clear(bench);
      bool const refused = co_await second.ends();
      CHECK(refused);
      CHECK(bench.server->connections() == 1);
    }
    while (bench.server->connections() > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    RawPeer third = co_await bench.connect();
    Received const served = co_await third.ask(get("/hello"));
    CHECK(served.status() == 200);
    CHECK(bench.server->connections() == 1);
  };
  bench.run(test());
  CHECK(bench.logged("connections_of_address_full"));
}

TEST_CASE("where all places are held by clients that say nothing, who has been silent longest makes room") {
  ServerBench bench(true, {.connections_max = 2});
  auto test = [&bench]() -> core::Task<> {
    RawPeer first = co_await connect_in_the_clear(bench);
    RawPeer second = co_await connect_in_the_clear(bench);
    RawPeer speaking = co_await bench.connect();
    bool const first_ended = co_await first.ends();
    CHECK(first_ended);
    Received const served = co_await speaking.ask(get("/hello"));
    CHECK(served.status() == 200);
    CHECK(bench.server->connections() == 2);
    RawPeer third = co_await connect_in_the_clear(bench);
    bool const second_ended = co_await second.ends();
    CHECK(second_ended);
    Received const still = co_await speaking.ask(get("/hello"));
    CHECK(still.status() == 200);
    CHECK(bench.server->connections() == 2);
  };
  bench.run(test());
  CHECK(count_of(bench.lines, "connections_full") == 1);
}

TEST_CASE("stop sends clients away that have not said a word") {
  for (bool const with_tls : {false, true}) {
    CAPTURE(with_tls);
    ServerBench bench(with_tls);
    auto test = [&bench]() -> core::Task<> {
      RawPeer silent = co_await connect_in_the_clear(bench);
      while (bench.server->connections() == 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
      bench.server->stop();
      bool const ended = co_await silent.ends();
      CHECK(ended);
      bool const drained = co_await bench.server->drain(bench.clock.steady() + patience);
      CHECK(drained);
    };
    bench.run(test());
  }
}
