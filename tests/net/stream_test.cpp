#include "net/stream.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <string>

#include "net/task_group.hpp"
#include "net/tls_bio.hpp"
#include "tests/net/net_bench.hpp"

using namespace onetap;
using namespace onetap::tests;
using net::error_code;
using net::Stream;

namespace {

constexpr auto token = asio::as_tuple(asio::use_awaitable);

/// The server's side of TLS driven by hand, so that a test decides which records leave together.
class HandMadePeer {
 public:
  HandMadePeer(net::tcp::socket socket, net::TlsContext tls)
      : socket_(std::move(socket)), tls_(std::move(tls)), ssl_(SSL_new(tls_.native()), SSL_free) {
    bio_st* const bio = net::new_tls_bio(tls_.bio_method(), wire_);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_accept_state(ssl_.get());
  }

  core::Task<> handshake() {
    while (SSL_do_handshake(ssl_.get()) != 1) {
      co_await flush();
      auto [error, size] = co_await socket_.async_read_some(asio::buffer(buffer_), token);
      if (error) co_return;
      wire_.incoming = std::string_view(buffer_.data(), size);
    }
    co_await flush();
  }

  void put(std::string_view text) {
    std::size_t written = 0;
    CHECK(SSL_write_ex(ssl_.get(), text.data(), text.size(), &written) == 1);
  }
  void say_goodbye() { SSL_shutdown(ssl_.get()); }

  core::Task<> flush() {
    std::string const sending = std::exchange(wire_.outgoing, {});
    std::size_t sent = 0;
    while (sent < sending.size()) {
      auto [error, size] = co_await socket_.async_write_some(asio::buffer(sending) + sent, token);
      if (error) co_return;
      sent += size;
    }
  }

 private:
  net::tcp::socket socket_;
  net::TlsContext tls_;
  net::TlsWire wire_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::array<char, 16384> buffer_{};
};

/// A client's stream and the hand-made other end, past their handshake.
struct StreamBench : NetBench {
  TestAuthority authority;
  net::tcp::acceptor acceptor{loop, {asio::ip::make_address("127.0.0.1"), 0}};
  net::TaskGroup tasks{loop.get_executor(), [](std::string const& what) { FAIL_CHECK(what); }};
  std::unique_ptr<HandMadePeer> peer;
  std::optional<net::tcp::socket> plain_peer;

  core::Task<> accept() {
    net::tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    peer = std::make_unique<HandMadePeer>(std::move(socket), server_tls(authority.issue({})));
    co_await peer->handshake();
  }

  core::Task<Stream> connect() {
    tasks.spawn(accept());
    Stream stream(net::tcp::socket(loop), client_tls(authority.pem()), "127.0.0.1");
    stream.expires_at(clock.steady() + patience);
    error_code const connected = co_await stream.connect(acceptor.local_endpoint());
    REQUIRE(!connected);
    error_code const handshaken = co_await stream.handshake();
    REQUIRE_MESSAGE(!handshaken, stream.tls_error());
    [[maybe_unused]] bool const accepted = co_await tasks.join(clock, clock.steady() + patience);
    co_return stream;
  }

  core::Task<Stream> connect_plain() {
    Stream stream{net::tcp::socket(loop)};
    stream.expires_at(clock.steady() + patience);
    error_code const connected = co_await stream.connect(acceptor.local_endpoint());
    REQUIRE(!connected);
    plain_peer.emplace(co_await acceptor.async_accept(asio::use_awaitable));
    co_return stream;
  }

  void run(core::Task<> test) {
    NetBench::run(std::move(test), [] {});
  }
};

core::Task<std::string> read(Stream& stream) {
  std::array<char, 4096> buffer{};
  auto const size = co_await stream.read_some(buffer);
  co_return size ? std::string(buffer.data(), *size) : "error: " + size.error().message();
}

}  // namespace

TEST_CASE("a line with nothing but TLS's own business on it is alive") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect();
    CHECK(stream.is_idle_and_alive());  // the session ticket is on its way
    bench.peer->put("answer");
    co_await bench.peer->flush();
    std::string const answer = co_await read(stream);
    CHECK(answer == "answer");
    CHECK(stream.is_idle_and_alive());
    CHECK(stream.is_idle_and_alive());
  };
  bench.run(test());
}

TEST_CASE("a good-bye that came together with the answer ends the line, with the socket still open") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect();
    bench.peer->put("answer");
    bench.peer->say_goodbye();
    co_await bench.peer->flush();
    std::string const answer = co_await read(stream);
    CHECK(answer == "answer");
    CHECK_FALSE(stream.is_idle_and_alive());
  };
  bench.run(test());
}

TEST_CASE("a line on which the other side speaks unasked is not idle") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect();
    bench.peer->put("answer");
    bench.peer->put("more");
    co_await bench.peer->flush();
    std::string const answer = co_await read(stream);
    CHECK(answer == "answer");
    CHECK_FALSE(stream.is_idle_and_alive());
  };
  bench.run(test());
}

TEST_CASE("without TLS, too, an idle line is silent and open") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect_plain();
    CHECK(stream.is_idle_and_alive());
    bench.plain_peer->close();
    CHECK_FALSE(stream.is_idle_and_alive());
    Stream other = co_await bench.connect_plain();
    [[maybe_unused]] std::size_t const sent = bench.plain_peer->write_some(asio::buffer("x", 1));
    CHECK_FALSE(other.is_idle_and_alive());
    other.close();
    CHECK_FALSE(other.is_idle_and_alive());
  };
  bench.run(test());
}

TEST_CASE("a read that its deadline has cut can be followed by a write under a new one") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect();
    stream.expires_at(bench.clock.steady() + 1ms);
    std::array<char, 16> buffer{};
    auto const late = co_await stream.read_some(buffer);
    REQUIRE(late.has_error());
    CHECK(late.error() == asio::error::timed_out);
    error_code const too_late = co_await stream.write("too late");
    CHECK(too_late == asio::error::timed_out);
    stream.expires_at(bench.clock.steady() + patience);
    error_code const written = co_await stream.write("in time");
    CHECK(!written);
    bench.peer->put("answer");
    co_await bench.peer->flush();
    std::string const answer = co_await read(stream);
    CHECK(answer == "answer");
  };
  bench.run(test());
}

TEST_CASE("a deadline counts for the operation under way, earlier or later") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect_plain();
    auto const bring_forward = [&]() -> core::Task<> {
      stream.expires_at(bench.clock.steady() + 1ms);
      co_return;
    };
    bench.tasks.spawn(bring_forward());
    std::array<char, 16> buffer{};
    auto const cut = co_await stream.read_some(buffer);
    CHECK(cut.error() == asio::error::timed_out);
  };
  bench.run(test());
}

TEST_CASE("a stream lives on when the context it was made with has gone") {
  StreamBench bench;
  auto test = [&]() -> core::Task<> {
    Stream stream = co_await bench.connect();  // its client context went with the statement that made it
    error_code const written = co_await stream.write("still here");
    CHECK(!written);
  };
  bench.run(test());
}
