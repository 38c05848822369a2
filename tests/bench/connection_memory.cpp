// What connections cost the heap of a server with TLS: those that say nothing, those that have begun to, and
// those that wait for their next request.
#include <malloc.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <stdexcept>
#include <string>

#include "core/log.hpp"
#include "net/asio_clock.hpp"
#include "net/server/http_server.hpp"
#include "net/stream.hpp"
#include "tests/support/test_certificate.hpp"

namespace {

using namespace onetap;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

constexpr std::size_t connections = 2000;

enum class Kind { silent, begun, idle };

/// One client, up to the state in which its kind is measured.
core::Task<> connect(asio::io_context& loop, tcp::endpoint server, net::TlsContext tls, Kind kind,
                     std::deque<net::Stream>& held) {
  tcp::socket socket(loop);
  co_await socket.async_connect(server, asio::use_awaitable);
  if (kind == Kind::idle) {
    std::string const host = "127.0.0.1";
    net::Stream& stream = held.emplace_back(std::move(socket), tls, host);
    net::error_code const handshaken = co_await stream.handshake();
    if (handshaken) throw std::runtime_error(stream.tls_error());
    net::error_code const written = co_await stream.write("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string answer;
    net::error_code const read = co_await stream.read_onto(answer);
    if (written || read || !answer.starts_with("HTTP/1.1 200")) throw std::runtime_error("no answer");
  } else {
    net::Stream& stream = held.emplace_back(std::move(socket));
    net::error_code written;
    if (kind == Kind::begun) written = co_await stream.write("\x16");
    if (written) throw std::runtime_error("cannot write");
  }
}

/// A process for the clients, since their ends cost memory, too.
class Clients {
 public:
  Clients(tcp::endpoint server, net::TlsContext const& tls, Kind kind) {
    std::array<int, 2> orders{};
    std::array<int, 2> reports{};
    if (::pipe(orders.data()) != 0 || ::pipe(reports.data()) != 0) throw std::runtime_error("pipe");
    orders_ = orders[1];
    reports_ = reports[0];
    process_ = ::fork();
    if (process_ == 0) {
      ::close(orders[1]);
      obey(orders[0], reports[1], server, tls, kind);
    }
    ::close(orders[0]);
    ::close(reports[1]);
  }
  Clients(Clients const&) = delete;
  Clients& operator=(Clients const&) = delete;
  ~Clients() {
    ::close(orders_);
    ::close(reports_);
    ::waitpid(process_, nullptr, 0);
  }

  /// So many more, while the server runs on `loop`.
  void connect_more(std::size_t count, asio::io_context& loop) const {
    if (::write(orders_, &count, sizeof count) != sizeof count) throw std::runtime_error("no clients");
    ::pollfd report{.fd = reports_, .events = POLLIN, .revents = 0};
    while (::poll(&report, 1, 0) == 0) loop.run_for(10ms);
    char done = 0;
    if (::read(reports_, &done, 1) != 1) throw std::runtime_error("a client failed");
    loop.run_for(100ms);
  }

 private:
  [[noreturn]] static void obey(int orders, int reports, tcp::endpoint server, net::TlsContext const& tls,
                                Kind kind) {
    asio::io_context loop{1};
    std::deque<net::Stream> held;
    std::size_t count = 0;
    bool failed = false;
    while (!failed && ::read(orders, &count, sizeof count) == sizeof count) {
      for (std::size_t i = 0; i < count && !failed; ++i) {
        asio::co_spawn(loop, connect(loop, server, tls, kind, held),
                       [&failed](std::exception_ptr const& failure) { failed = failure != nullptr; });
        loop.restart();
        loop.run();
      }
      failed = failed || ::write(reports, "d", 1) != 1;
    }
    std::_Exit(failed ? EXIT_FAILURE : EXIT_SUCCESS);
  }

  pid_t process_ = -1;
  int orders_ = -1;
  int reports_ = -1;
};

std::size_t heap_bytes() { return ::mallinfo2().uordblks; }

net::Router router() {
  auto const hello = [](net::Request const&) -> core::Task<net::Response> { co_return net::Response(); };
  return {{{.method = "GET", .path = "/hello", .handle = hello}}, nullptr};
}

/// Bytes of the server's heap for each connection of that kind.
std::size_t measure(Kind kind, tests::TestAuthority const& authority) {
  auto const certificate = authority.issue({});
  auto const tls = net::TlsContext::server(certificate.certificate_pem, certificate.key_pem);
  auto const trust = net::TlsContext::client(authority.pem());
  if (!tls || !trust) throw std::runtime_error("no certificate");
  asio::io_context loop{1};
  net::AsioClock clock(loop.get_executor());
  core::Log log([](core::LogLevel, std::string_view) {}, core::LogLevel::error, [&] { return clock.wall(); });
  net::HttpServer server(loop, clock, log, router(),
                         {.listener = "public", .address = "127.0.0.1", .tls = *tls});
  auto const bound = server.start();
  if (!bound) throw std::runtime_error(bound.error());
  auto const port = static_cast<unsigned short>(std::stoul(bound->substr(bound->rfind(':') + 1)));
  std::size_t each = 0;
  {
    Clients const clients({asio::ip::make_address("127.0.0.1"), port}, *trust, kind);
    clients.connect_more(1, loop);  // what the first one brings along is not counted
    std::size_t const before = heap_bytes();
    clients.connect_more(connections, loop);
    each = (heap_bytes() - before) / connections;
    if (server.connections() != connections + 1) throw std::runtime_error("not all were held");
  }
  server.stop();
  loop.run();
  return each;
}

}  // namespace

int main() try {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  tests::TestAuthority const authority;
  std::printf("bytes of heap a connection\n");
  std::printf("  accepted, silent:               %6zu\n", measure(Kind::silent, authority));
  std::printf("  first byte of a ClientHello:    %6zu\n", measure(Kind::begun, authority));
  std::printf("  idle, TLS, after one request:   %6zu\n", measure(Kind::idle, authority));
  return EXIT_SUCCESS;
} catch (std::exception const& error) {
  std::fprintf(stderr, "connection_memory: %s\n", error.what());
  return EXIT_FAILURE;
}
