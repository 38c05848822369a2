#pragma once

#include <doctest/doctest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "net/asio_clock.hpp"
#include "net/stream.hpp"
#include "tests/support/test_certificate.hpp"

namespace onetap::tests {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Nothing in these tests waits that long, unless it hangs.
inline constexpr auto patience = 20s;

/// The real time, told late by `lag`: a limit of five seconds becomes one of a tenth, without waiting.
class LaggingClock final : public core::Clock {
 public:
  explicit LaggingClock(asio::any_io_executor executor) : real_(std::move(executor)) {}

  core::milliseconds lag{0};

  [[nodiscard]] core::WallTime wall() const override { return real_.wall(); }
  [[nodiscard]] core::SteadyTime steady() const override { return real_.steady() - lag; }
  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override {
    return real_.wait(signal, deadline);
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override {
    return real_.sleep_until(deadline);
  }

 private:
  net::AsioClock real_;
};

/// A loop with its clock and log, and tests as coroutines on it.
struct NetBench {
  asio::io_context loop;
  LaggingClock clock{loop.get_executor()};
  std::vector<std::string> lines;
  std::function<void(std::string_view line)> on_line;  // what a test does at a moment that the log tells of
  core::Log log{[this](core::LogLevel, std::string_view line) {
                  lines.emplace_back(line);
                  if (on_line) on_line(line);
                },
                core::LogLevel::debug, [this] { return clock.wall(); }};

  /// Runs the test, then `at_end`, then everything until nothing is left to do.
  void run(core::Task<> test, std::function<void()> at_end) {
    std::exception_ptr failure;
    bool ended = false;
    auto on_end = [&](std::exception_ptr const& thrown) {
      failure = thrown;
      ended = true;
      at_end();
    };
    asio::co_spawn(loop, std::move(test), on_end);
    loop.run_for(2 * patience);
    if (failure) std::rethrow_exception(failure);
    REQUIRE(ended);
    REQUIRE(loop.stopped());
  }

  [[nodiscard]] bool logged(std::string_view text) const {
    for (std::string const& line : lines) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
};

/// An HTTP message as it came, taken apart by the simplest means.
struct Received {
  bool closed = false;  // before it was complete; `head` holds what came
  std::string head;
  std::string body;

  [[nodiscard]] int status() const {
    int number = 0;
    constexpr std::size_t status_at = 9;  // after "HTTP/1.1 "
    if (head.size() > status_at + 3)
      std::from_chars(head.data() + status_at, head.data() + status_at + 3, number);
    return number;
  }
  /// Of a field in exactly this spelling; "none" without it.
  [[nodiscard]] std::string header(std::string const& name) const {
    auto const found = head.find("\r\n" + name + ": ");
    if (found == std::string::npos) return "none";
    auto const from = found + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

/// One end of a connection, on which a test writes bytes as it likes.
class RawPeer {
 public:
  explicit RawPeer(net::Stream stream) : stream_(std::move(stream)) {
    stream_.expires_at(std::chrono::steady_clock::now() + patience);
  }

  /// A client's end; plain without `tls`. `preface` goes before everything, in the clear.
  [[nodiscard]] static core::Task<RawPeer> connect(asio::io_context& loop, unsigned short port,
                                                   std::optional<net::TlsContext> tls,
                                                   std::string preface = "") {
    net::tcp::socket socket(loop);
    std::string const host = "127.0.0.1";
    net::tcp::endpoint const address(asio::ip::make_address(host), port);
    co_await socket.async_connect(address, asio::use_awaitable);
    socket.set_option(net::tcp::no_delay(true));
    co_await asio::async_write(socket, asio::buffer(preface), asio::use_awaitable);
    RawPeer peer(tls ? net::Stream(std::move(socket), *tls, host) : net::Stream(std::move(socket)));
    net::error_code const handshaken = co_await peer.stream_.handshake();
    REQUIRE_MESSAGE(!handshaken, handshaken.message());
    co_return peer;
  }

  [[nodiscard]] net::Stream& stream() { return stream_; }

  [[nodiscard]] core::Task<> send(std::string bytes) {
    net::error_code const written = co_await stream_.write(bytes);
    REQUIRE_MESSAGE(!written, written.message());
  }

  /// The next message; its body as Content-Length says, none with `head_only`.
  [[nodiscard]] core::Task<Received> receive(bool head_only = false) {
    Received message;
    std::size_t wanted = std::string::npos;
    while (wanted == std::string::npos || unread_.size() < wanted) {
      if (auto const end = unread_.find("\r\n\r\n");
          wanted == std::string::npos && end != std::string::npos) {
        message.head = unread_.substr(0, end + 4);
        unread_.erase(0, end + 4);
        std::string const length = message.header("Content-Length");
        wanted = head_only || length == "none" ? 0 : std::stoul(length);
        continue;
      }
      std::array<char, 4096> buffer{};
      auto const size = co_await stream_.read_some(buffer);
      if (!size) {
        message.closed = true;
        message.head += unread_;
        co_return message;
      }
      unread_.append(buffer.data(), *size);
    }
    message.body = unread_.substr(0, wanted);
    unread_.erase(0, wanted);
    co_return message;
  }

  [[nodiscard]] core::Task<Received> ask(std::string bytes) {
    co_await send(std::move(bytes));
    Received answer = co_await receive();
    co_return answer;
  }

  /// True when the other side ends the connection without another byte.
  [[nodiscard]] core::Task<bool> ends() {
    std::array<char, 16> buffer{};
    auto const size = co_await stream_.read_some(buffer);
    co_return unread_.empty() && !size && size.error() != asio::error::timed_out;
  }

 private:
  net::Stream stream_;
  std::string unread_;
};

inline unsigned short port_of(std::string const& bound) {
  return static_cast<unsigned short>(std::stoul(bound.substr(bound.rfind(':') + 1)));
}

inline net::TlsContext server_tls(TestCertificate const& certificate) {
  auto const context = net::TlsContext::server(certificate.certificate_pem, certificate.key_pem);
  REQUIRE(context.has_value());
  return *context;
}

inline net::TlsContext client_tls(std::string const& ca_pem) {
  auto const context = net::TlsContext::client(ca_pem);
  REQUIRE(context.has_value());
  return *context;
}

}  // namespace onetap::tests
