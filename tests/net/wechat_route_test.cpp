#include <doctest/doctest.h>
#include <sys/socket.h>

#include <initializer_list>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// Several of WeChat's addresses, and a client that tries them in this order.
struct RouteBench : NetBench {
  TestAuthority authority;
  std::list<WeChatPeer> peers;
  std::map<std::string, net::Endpoints> names;
  std::optional<net::WeChatClient> client;
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};

  WeChatPeer& add_peer(TestAuthority::Wish const& wish = {}, std::string const& address = "127.0.0.1",
                       unsigned short port = 0) {
    WeChatPeer& peer = peers.emplace_back(*this, server_tls(authority.issue(wish)), address, port);
    peer.answers_always = true;
    return peer;
  }

  void connect_to(std::vector<net::WeChatAddress> addresses) {
    auto look_up = [this](std::string host, unsigned short port) { return found(std::move(host), port); };
    net::WeChatRoute route{.addresses = std::move(addresses)};
    client.emplace(loop.get_executor(), clock, client_tls(authority.pem()), std::move(route), look_up);
    tasks.spawn(client->run());
  }
  void connect_to(std::initializer_list<WeChatPeer*> in_order) {
    std::vector<net::WeChatAddress> addresses;
    for (WeChatPeer const* peer : in_order) addresses.push_back({.host = "127.0.0.1", .port = peer->port()});
    connect_to(std::move(addresses));
  }

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [this] {
      client->stop();
      for (WeChatPeer& peer : peers) peer.stop();
    });
  }

  core::Task<WeChatReply> send() { return send_code(*client, clock); }

  core::Task<core::LineResult> open_line() { return client->open_line(clock.steady() + patience); }

 private:
  using Found = core::Result<net::Endpoints, net::error_code>;

  core::Task<Found> found(std::string host, unsigned short port) {
    auto const known = names.find(host);
    if (known == names.end()) co_return Found(boost::system::in_place_error, asio::error::host_not_found);
    net::Endpoints endpoints = known->second;
    for (net::tcp::endpoint& endpoint : endpoints) endpoint.port(port);
    co_return Found(boost::system::in_place_value, std::move(endpoints));
  }
};

net::tcp::endpoint endpoint(char const* address) { return {asio::ip::make_address(address), 0}; }

/// Listens, but its queue is full: whoever connects hears nothing.
class BlackHole {
 public:
  explicit BlackHole(asio::io_context& loop) : acceptor_(loop) {
    acceptor_.open(net::tcp::v4());
    acceptor_.bind({asio::ip::make_address("127.0.0.1"), 0});
    acceptor_.listen(0);
    net::tcp::endpoint const here = acceptor_.local_endpoint();
    constexpr int fillers = 4;
    for (int i = 0; i < fillers; ++i) {
      net::tcp::socket& filler = fillers_.emplace_back(loop);
      filler.open(net::tcp::v4());
      filler.native_non_blocking(true);
      // Asio's own connect() would wait.
      [[maybe_unused]] int const under_way =
          ::connect(filler.native_handle(), here.data(), static_cast<socklen_t>(here.size()));
    }
  }

  [[nodiscard]] unsigned short port() const { return acceptor_.local_endpoint().port(); }

 private:
  net::tcp::acceptor acceptor_;
  std::list<net::tcp::socket> fillers_;
};

}  // namespace

TEST_CASE("the first address is asked as long as it works") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer();
  WeChatPeer& second = bench.add_peer();
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    for (int i = 0; i < 3; ++i) {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
    }
  };
  bench.run(test());
  CHECK(first.requests.size() == 3);
  CHECK(second.connections == 0);
}

TEST_CASE("where nobody listens, and where the certificate does not hold, the next address is asked") {
  for (bool const listens : {false, true}) {
    CAPTURE(listens);
    RouteBench bench;
    WeChatPeer& first = bench.add_peer({.names = "DNS:somebody.else"});
    WeChatPeer& second = bench.add_peer();
    if (!listens) first.stop();
    bench.connect_to({&first, &second});
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
    };
    bench.run(test());
    CHECK(first.requests.empty());
    CHECK(second.requests.size() == 1);
  }
}

TEST_CASE("every certificate that does not hold leads to the next address") {
  TestAuthority const stranger;
  struct Row {
    char const* what;
    TestAuthority::Wish wish;
    bool known = true;
  };
  for (Row const& row :
       {Row{"of another host", {.names = "DNS:api.weixin.qq.com"}},
        Row{"expired", {.from_s = -7200, .until_s = -3600}}, Row{"self-signed", {.self_signed = true}},
        Row{"of an unknown authority", {}, false}}) {
    CAPTURE(row.what);
    RouteBench bench;
    WeChatPeer& first = bench.add_peer(row.wish);
    WeChatPeer& second = bench.add_peer();
    if (!row.known) first.tls = server_tls(stranger.issue(row.wish));
    bench.connect_to({&first, &second});
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
    };
    bench.run(test());
    CHECK(first.connections == 1);
    CHECK(first.requests.empty());
    CHECK(second.requests.size() == 1);
  }
}

TEST_CASE("where no address works, the reason of each is told, and nothing was sent") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer({.names = "DNS:somebody.else"});
  WeChatPeer& second = bench.add_peer({.self_signed = true});
  WeChatPeer& third = bench.add_peer();
  third.stop();
  bench.connect_to({&first, &second, &third});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::not_sent);
    CHECK(reply.failure == TransportFailure::connect);
    CHECK(reply.failure_detail == "127.0.0.1:" + std::to_string(first.port()) +
                                      ": IP address mismatch; 127.0.0.1:" + std::to_string(second.port()) +
                                      ": self-signed certificate; 127.0.0.1:" + std::to_string(third.port()) +
                                      ": Connection refused");
  };
  bench.run(test());
}

TEST_CASE("once a request was written no other address hears of it, whatever becomes of it") {
  std::string const too_much =
      "HTTP/1.1 200 OK\r\nX: " + std::string(core::limits::wechat_header_bytes_max, 'a') + "\r\n\r\n";
  for (WeChatPeer::Answer const& answer :
       {WeChatPeer::Answer{.bytes = ""}, WeChatPeer::Answer{.bytes = "HTTP/1.1 200 OK\r\n"},
        WeChatPeer::Answer{.bytes = "no HTTP\r\n\r\n"}, WeChatPeer::Answer{.bytes = too_much}}) {
    CAPTURE(answer.bytes.substr(0, 30));
    RouteBench bench;
    WeChatPeer& first = bench.add_peer();
    WeChatPeer& second = bench.add_peer();
    first.answers.push_back(answer);
    bench.connect_to({&first, &second});
    auto test = [&]() -> core::Task<> {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::maybe_sent);
    };
    bench.run(test());
    CHECK(first.requests.size() == 1);
    CHECK(first.connections == 1);
    CHECK(second.connections == 0);
  }
}

TEST_CASE("an answer that says no is an answer, and no reason to ask elsewhere") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer();
  WeChatPeer& second = bench.add_peer();
  first.answers.push_back({.bytes = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"});
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
    CHECK(reply.http_status == 502);
  };
  bench.run(test());
  CHECK(second.connections == 0);
}

TEST_CASE("a warm line that died leads to the next address, if its own has died, too") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer();
  WeChatPeer& second = bench.add_peer();
  first.answers.push_back({.bytes = ok_answer});  // and closes
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    WeChatReply reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
    while (first.open > 0) co_await bench.clock.sleep_until(bench.clock.steady() + 1ms);
    first.stop();
    reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(first.requests.size() == 1);
  CHECK(second.requests.size() == 1);
}

TEST_CASE("each address has its own Host field and path") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer();
  WeChatPeer& second = bench.add_peer();
  first.stop();
  bench.names["localhost"] = {endpoint("127.0.0.1")};
  bench.connect_to({{.host = "127.0.0.1", .port = first.port(), .base_path = "/one"},
                    {.host = "localhost", .port = second.port(), .base_path = "/two"}});
  auto test = [&]() -> core::Task<> {
    for (int i = 0; i < 2; ++i) {  // the second over a warm line
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
    }
  };
  bench.run(test());
  REQUIRE(second.requests.size() == 2);
  CHECK(second.connections == 1);
  for (std::string const& request : second.requests) {
    CHECK(request.starts_with("POST /two/wxa/business/getuserphonenumber?access_token=a-token HTTP/1.1\r\n"));
    CHECK(request.find("\r\nHost: localhost:" + std::to_string(second.port()) + "\r\n") != std::string::npos);
  }
}

TEST_CASE("each endpoint of a name is tried") {
  RouteBench bench;
  WeChatPeer& peer = bench.add_peer();
  bench.names["localhost"] = {endpoint("127.0.0.2"), endpoint("127.0.0.1")};
  bench.connect_to({{.host = "localhost", .port = peer.port()}});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
    peer.stop();
    bench.client->stop();
    core::LineResult const line = co_await bench.open_line();
    CHECK(line.line == nullptr);
    CHECK(line.failure_detail ==
          "localhost:" + std::to_string(peer.port()) + " (127.0.0.2): Connection refused");
  };
  bench.run(test());
  CHECK(peer.requests.size() == 1);
}

TEST_CASE("an address whose name is not found is passed over") {
  RouteBench bench;
  WeChatPeer& peer = bench.add_peer();
  bench.names["localhost"] = {endpoint("127.0.0.1")};
  bench.connect_to({{.host = "nowhere.example"}, {.host = "localhost", .port = peer.port()}});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
}

TEST_CASE("where no name is found, nothing was sent, and the names are told") {
  RouteBench bench;
  bench.connect_to({{.host = "nowhere.example"}, {.host = "neither.example"}});
  auto test = [&]() -> core::Task<> {
    core::SteadyTime const soon = bench.clock.steady() + 50ms;
    core::LineResult const line = co_await bench.client->open_line(soon);
    CHECK(line.line == nullptr);
    CHECK(line.failure == TransportFailure::resolve);
    CHECK(line.failure_detail.starts_with("nowhere.example: Host not found"));
    CHECK(line.failure_detail.find("; neither.example: Host not found") != std::string::npos);
  };
  bench.run(test());
}

TEST_CASE("an address that failed is tried last for half a minute") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer({.names = "DNS:somebody.else"});
  WeChatPeer& second = bench.add_peer();
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    core::LineResult const one = co_await bench.open_line();
    CHECK(one.line != nullptr);
    CHECK(first.connections == 1);
    core::LineResult const two = co_await bench.open_line();
    CHECK(two.line != nullptr);
    CHECK(first.connections == 1);

    bench.clock.lag = -core::milliseconds(core::limits::wechat_failed_endpoint_time);
    first.tls = server_tls(bench.authority.issue({}));
    core::LineResult const three = co_await bench.open_line();
    CHECK(three.line != nullptr);
    CHECK(first.connections == 2);
    CHECK(second.connections == 2);
  };
  bench.run(test());
}

TEST_CASE("an address that failed is tried all the same when nothing else works") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer({.names = "DNS:somebody.else"});
  WeChatPeer& second = bench.add_peer();
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    core::LineResult const one = co_await bench.open_line();
    CHECK(one.line != nullptr);
    first.tls = server_tls(bench.authority.issue({}));
    second.stop();
    core::LineResult const two = co_await bench.open_line();
    CHECK(two.line != nullptr);
    CHECK(first.connections == 2);
    CHECK(second.connections == 1);
  };
  bench.run(test());
}

TEST_CASE("an address that never answers leaves time for the next one") {
  RouteBench bench;
  BlackHole const hole(bench.loop);
  WeChatPeer& second = bench.add_peer();
  bench.connect_to(
      {{.host = "127.0.0.1", .port = hole.port()}, {.host = "127.0.0.1", .port = second.port()}});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(second.requests.size() == 1);
}

TEST_CASE("where every address is silent it ends by the deadline, and nothing was sent") {
  RouteBench bench;
  BlackHole const hole(bench.loop);
  bench.connect_to({{.host = "127.0.0.1", .port = hole.port()}});
  auto test = [&]() -> core::Task<> {
    core::LineResult const line = co_await bench.client->open_line(bench.clock.steady() + 50ms);
    CHECK(line.line == nullptr);
    CHECK(line.failure == TransportFailure::timeout);
    CHECK(line.failure_detail.starts_with("127.0.0.1:" + std::to_string(hole.port()) + ": "));
  };
  bench.run(test());
}

TEST_CASE("who connects and then says nothing in TLS ends by the deadline, and nothing was sent") {
  RouteBench bench;
  net::tcp::acceptor silent(bench.loop, {asio::ip::make_address("127.0.0.1"), 0});
  bench.connect_to({{.host = "127.0.0.1", .port = silent.local_endpoint().port()}});
  auto test = [&]() -> core::Task<> {
    core::LineResult const line = co_await bench.client->open_line(bench.clock.steady() + 50ms);
    CHECK(line.line == nullptr);
    CHECK(line.failure == TransportFailure::timeout);
  };
  bench.run(test());
}

TEST_CASE("who hangs up instead of TLS leads to the next address") {
  RouteBench bench;
  WeChatPeer& first = bench.add_peer();
  first.hangs_up = true;
  WeChatPeer& second = bench.add_peer();
  bench.connect_to({&first, &second});
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(first.connections == 1);
  CHECK(second.requests.size() == 1);
}
