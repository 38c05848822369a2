// What a silent connection costs the heap of a server with TLS.
#include <malloc.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "net/asio_clock.hpp"
#include "net/server/http_server.hpp"
#include "tests/support/test_certificate.hpp"

namespace {

using namespace onetap;
namespace asio = boost::asio;

constexpr std::size_t connections = 2000;

std::size_t heap_bytes() { return ::mallinfo2().uordblks; }

}  // namespace

int main() try {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);

  asio::io_context loop{1};
  net::AsioClock clock(loop.get_executor());
  core::Log log([](core::LogLevel, std::string_view) {}, core::LogLevel::error, [&] { return clock.wall(); });
  tests::TestAuthority const authority;
  auto const certificate = authority.issue({});
  auto const tls = net::TlsContext::server(certificate.certificate_pem, certificate.key_pem);
  auto const trust = net::TlsContext::client(authority.pem());
  if (!tls || !trust) return EXIT_FAILURE;
  net::HttpServer server(loop, clock, log, net::Router({}, nullptr),
                         {.listener = "public", .address = "127.0.0.1", .tls = *tls});
  auto const bound = server.start();
  if (!bound) return EXIT_FAILURE;
  auto const port = static_cast<unsigned short>(std::stoul(bound->substr(bound->rfind(':') + 1)));
  asio::ip::tcp::endpoint const address(asio::ip::make_address("127.0.0.1"), port);

  asio::io_context clients{1};
  std::vector<asio::ip::tcp::socket> sockets;
  sockets.reserve(connections + 1);
  auto const connect_one = [&] {
    sockets.emplace_back(clients).connect(address);
    while (server.connections() < sockets.size()) loop.run_one();
  };
  connect_one();  // what the first one brings along is not counted
  std::size_t const before = heap_bytes();
  while (sockets.size() < connections + 1) connect_one();
  std::size_t const silent = heap_bytes() - before;
  std::printf("silent: %zu bytes of heap a connection (the client's end, about 200, included)\n",
              silent / connections);
  server.stop();
  sockets.clear();
  loop.run();
  return EXIT_SUCCESS;
} catch (std::exception const& error) {
  std::fprintf(stderr, "connection_memory: %s\n", error.what());
  return EXIT_FAILURE;
}
