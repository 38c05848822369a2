#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";

/// An HTTP proxy that knows one way only, and a client that goes by it.
struct ProxyBench : NetBench {
  TestAuthority authority;
  WeChatPeer peer{*this, server_tls(authority.issue({.names = "DNS:wechat.example"}))};
  net::tcp::acceptor acceptor{loop, {asio::ip::make_address("127.0.0.1"), 0}};
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};
  std::vector<std::string> asked;
  std::string answer = established;
  bool answers_piecemeal = false;
  bool stays_silent = false;
  std::optional<net::WeChatClient> client;
  unsigned short const port = acceptor.local_endpoint().port();

  explicit ProxyBench(std::string const& credentials = {}, std::string const& other_host = {}) {
    peer.answers_always = true;
    net::WeChatRoute route{.addresses = {{.host = "wechat.example", .port = 4433, .base_path = "/base"}},
                           .proxy = net::ProxyAddress{.host = "127.0.0.1",
                                                      .port = acceptor.local_endpoint().port(),
                                                      .credentials = net::ProxyCredentials(credentials)}};
    if (!other_host.empty()) route.addresses.insert(route.addresses.begin(), {.host = other_host});
    client.emplace(loop.get_executor(), clock, client_tls(authority.pem()), std::move(route));
    tasks.spawn(client->run());
    tasks.spawn(serve());
  }

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [this] {
      client->stop();
      peer.stop();
      acceptor.close();
    });
  }

  core::Task<WeChatReply> send() { return send_code(*client, clock); }

  /// What a request comes to that the proxy does not let through.
  std::string detail_of_failure(TransportFailure failure = TransportFailure::connect,
                                core::milliseconds time = patience) {
    std::string detail;
    auto test = [&]() -> core::Task<> {
      core::LineResult const line = co_await client->open_line(clock.steady() + time);
      CHECK(line.line == nullptr);
      CHECK(line.failure == failure);
      detail = line.failure_detail;
    };
    run(test());
    CHECK(peer.requests.empty());
    std::string const prefix =
        "wechat.example:4433 through the proxy 127.0.0.1:" + std::to_string(port) + ": ";
    CHECK(detail.starts_with(prefix));
    return detail.substr(std::min(prefix.size(), detail.size()));
  }

 private:
  core::Task<> serve() {
    while (acceptor.is_open()) {
      auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      tasks.spawn(serve_one(std::move(socket)));
    }
  }

  core::Task<> serve_one(net::tcp::socket socket) {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      char byte = 0;
      auto [error, size] =
          co_await socket.async_read_some(asio::buffer(&byte, 1), asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
      head += byte;
    }
    asked.push_back(head);
    if (stays_silent) {
      [[maybe_unused]] auto [left] =
          co_await socket.async_wait(net::tcp::socket::wait_read, asio::as_tuple(asio::use_awaitable));
      co_return;
    }
    std::string const answering = head.starts_with("CONNECT elsewhere") ? "HTTP/1.1 502 No\r\n\r\n" : answer;
    std::size_t const piece = answers_piecemeal ? 1 : answering.size();
    for (std::size_t at = 0; at < answering.size(); at += piece) {
      std::string const bytes = answering.substr(at, piece);
      auto [error, size] =
          co_await asio::async_write(socket, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
      if (error) co_return;
    }
    bool const is_tunnel = answering.starts_with("HTTP/1.") && answering.find(" 200 ") != std::string::npos &&
                           answering.ends_with("\r\n\r\n");
    if (is_tunnel) co_await carry(std::move(socket));
  }

  struct Tunnel {
    net::tcp::socket page;
    net::tcp::socket wechat;
  };

  core::Task<> carry(net::tcp::socket socket) {
    net::tcp::socket onward(loop);
    net::tcp::endpoint const wechat(asio::ip::make_address("127.0.0.1"), peer.port());
    auto [gone] = co_await onward.async_connect(wechat, asio::as_tuple(asio::use_awaitable));
    if (gone) co_return;
    auto const tunnel = std::make_shared<Tunnel>(std::move(socket), std::move(onward));
    tasks.spawn(pump(tunnel, tunnel->page, tunnel->wechat));
    tasks.spawn(pump(tunnel, tunnel->wechat, tunnel->page));
  }

  // The tunnel is held by its two directions.
  static core::Task<> pump(std::shared_ptr<Tunnel> /*tunnel*/, net::tcp::socket& from, net::tcp::socket& to) {
    std::array<char, 4096> buffer{};
    while (true) {
      auto [error, size] =
          co_await from.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
      if (error) break;
      auto [failed, written] = co_await asio::async_write(to, asio::buffer(buffer.data(), size),
                                                          asio::as_tuple(asio::use_awaitable));
      if (failed) break;
    }
    net::error_code ignored;
    to.shutdown(net::tcp::socket::shutdown_send, ignored);
  }
};

}  // namespace

TEST_CASE("the proxy is asked for WeChat by name, and everything else is between WeChat and us") {
  ProxyBench bench;
  auto test = [&]() -> core::Task<> {
    for (int i = 0; i < 3; ++i) {
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
    }
  };
  bench.run(test());
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked.front() == "CONNECT wechat.example:4433 HTTP/1.1\r\nHost: wechat.example:4433\r\n\r\n");
  REQUIRE(bench.peer.requests.size() == 3);
  CHECK(bench.peer.requests.front().starts_with("POST /base/wxa/"));
  CHECK(bench.peer.requests.front().find("\r\nHost: wechat.example:4433\r\n") != std::string::npos);
}

TEST_CASE("the proxy is told who we are, and WeChat is not") {
  ProxyBench bench("Aladdin:open sesame");
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  REQUIRE(bench.asked.size() == 1);
  CHECK(bench.asked.front().ends_with("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
  CHECK(bench.peer.requests.front().find("Proxy-Authorization") == std::string::npos);
}

TEST_CASE("a new password counts from the next connection on") {
  ProxyBench bench("user:old");
  auto test = [&]() -> core::Task<> {
    core::LineResult const before = co_await bench.client->open_line(bench.clock.steady() + patience);
    CHECK(before.line != nullptr);
    bench.client->use(net::ProxyCredentials("user:new"));
    core::LineResult const after = co_await bench.client->open_line(bench.clock.steady() + patience);
    CHECK(after.line != nullptr);
  };
  bench.run(test());
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.asked[0].find("Basic dXNlcjpvbGQ=\r\n") != std::string::npos);
  CHECK(bench.asked[1].find("Basic dXNlcjpuZXc=\r\n") != std::string::npos);
}

TEST_CASE("the proxy's answer may come in pieces, with fields") {
  ProxyBench bench;
  bench.answer = "HTTP/1.0 200 OK\r\nProxy-Agent: a\r\nContent-Length: 0\r\n\r\n";
  bench.answers_piecemeal = true;
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  CHECK(bench.peer.requests.size() == 1);
}

TEST_CASE("what the proxy answers instead of 200 is told, and nothing was sent") {
  for (char const* const status : {"407", "403", "502", "101", "204"}) {
    ProxyBench bench;
    bench.answer = std::string("HTTP/1.1 ") + status + " Whatever\r\nContent-Length: 4\r\n\r\nbody";
    CHECK(bench.detail_of_failure() == std::string("the proxy answered CONNECT with ") + status);
    CHECK(bench.peer.connections == 0);
  }
}

TEST_CASE("an answer to CONNECT that is not one is no tunnel") {
  for (char const* const answer :
       {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1\r\n\r\n", "\r\n\r\n"}) {
    CAPTURE(answer);
    ProxyBench bench;
    bench.answer = answer;
    CHECK(bench.detail_of_failure() == "the proxy's answer to CONNECT is not HTTP");
  }
}

TEST_CASE("a proxy that says more than its answer is not trusted: WeChat speaks second") {
  ProxyBench bench;
  bench.answer = std::string(established) + "x";
  CHECK(bench.detail_of_failure() == "the proxy sent more than its answer to CONNECT");
}

TEST_CASE("of a proxy's answer so much is read, and no more") {
  std::string const begin = "HTTP/1.1 200 OK\r\nX: ";
  std::string const longest(core::limits::connect_answer_bytes_max - begin.size(), 'a');
  ProxyBench bench;
  bench.answer = begin + longest + "\r\n\r\nx";
  CHECK(bench.detail_of_failure() == "the proxy sent more than its answer to CONNECT");

  ProxyBench too_long;
  too_long.answer = begin + longest + "a\r\n\r\n";
  CHECK(too_long.detail_of_failure() == "the proxy's answer to CONNECT is too long");

  ProxyBench endless;
  endless.answer = begin + std::string(std::size_t{1} << 20, 'a');
  CHECK(endless.detail_of_failure() == "the proxy's answer to CONNECT is too long");
}

TEST_CASE("a proxy that hangs up, or says nothing, has sent nothing") {
  ProxyBench hanging_up;
  hanging_up.answer = "HTTP/1.1 200 OK\r\n";
  CHECK(hanging_up.detail_of_failure() == "the proxy did not answer CONNECT: End of file");

  ProxyBench silent;
  silent.stays_silent = true;
  CHECK(silent.detail_of_failure(TransportFailure::timeout, 50ms) ==
        "the proxy did not answer CONNECT: Connection timed out");
}

TEST_CASE("where no proxy listens nothing was sent") {
  ProxyBench bench;
  bench.acceptor.close();
  CHECK(bench.detail_of_failure() == "Connection refused");
}

TEST_CASE("through the proxy, too, the certificate must be WeChat's") {
  ProxyBench bench;
  bench.peer.tls = server_tls(bench.authority.issue({}));  // of 127.0.0.1 and localhost
  CHECK(bench.detail_of_failure(TransportFailure::tls) == "hostname mismatch");
}

TEST_CASE("an address that the proxy does not reach leads to the next") {
  ProxyBench bench({}, "elsewhere.example");
  auto test = [&]() -> core::Task<> {
    WeChatReply const reply = co_await bench.send();
    CHECK(reply.delivery == Delivery::answered);
  };
  bench.run(test());
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.asked[0].starts_with("CONNECT elsewhere.example:443 "));
  CHECK(bench.asked[1].starts_with("CONNECT wechat.example:4433 "));
}
