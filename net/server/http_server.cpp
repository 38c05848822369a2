#include "net/server/http_server.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <list>

#include "core/limits.hpp"
#include "net/server/connection.hpp"
#include "net/server/lobby.hpp"
#include "net/task_group.hpp"

namespace onetap::net {

namespace {

/// A descriptor kept for the moment in which there is no other: without it, a client that waits to be
/// accepted would be announced by the loop again and again, and could be neither served nor sent away.
class SpareDescriptor {
 public:
  SpareDescriptor() { take(); }
  SpareDescriptor(SpareDescriptor const&) = delete;
  SpareDescriptor& operator=(SpareDescriptor const&) = delete;
  ~SpareDescriptor() { give(); }

  void give() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  bool take() {
    if (descriptor_ < 0) descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return descriptor_ >= 0;
  }

 private:
  int descriptor_ = -1;
};

// A plain listener's clients have as long for their first byte as those whose TLS stands already.
core::SteadyTime::duration first_byte_patience(HttpServerOptions const& options) {
  if (options.tls || options.proxy_protocol) return core::limits::handshake_time;
  return core::limits::first_byte_time;
}

bool is_lack_of_descriptors(error_code error) {
  // Of accept(), so of the system's category.
  return error.value() == EMFILE || error.value() == ENFILE;
}

}  // namespace

struct HttpServer::Implementation {
  Implementation(asio::io_context& its_loop, core::Clock& its_clock, core::Log& its_log, Router its_router,
                 HttpServerOptions its_options)
      : loop(its_loop),
        shared{.clock = its_clock,
               .log = its_log,
               .router = std::move(its_router),
               .options = std::move(its_options)},
        acceptor(its_loop),
        full(its_clock, its_log, "connections_full",
             "ONETAP_MAX_CONNECTIONS are held: who has not said a word is closed, else the newcomer"),
        out_of_descriptors(its_clock, its_log, "descriptors_exhausted",
                           "raise LimitNOFILE, or lower ONETAP_MAX_CONNECTIONS: newcomers are closed"),
        lobby(its_clock, first_byte_patience(shared.options),
              [this](Newcomer newcomer) { begin(std::move(newcomer)); }),
        tasks(its_loop.get_executor(), [this](std::string const& what) {
          shared.log.error("connection_failed", {{"listener", shared.options.listener}, {"what", what}});
        }) {}

  // Waits first: without a descriptor left, accepting fails even where nobody waits to be accepted.
  core::Task<> accept_connections() {
    co_await core::shield_from_cancellation();
    while (!shared.stopping) {
      [[maybe_unused]] auto [closed] =
          co_await acceptor.async_wait(tcp::acceptor::wait_read, asio::as_tuple(asio::use_awaitable));
      if (shared.stopping) break;
      error_code error;
      tcp::endpoint peer;
      tcp::socket socket = acceptor.accept(peer, error);
      if (!error) {
        take_in(std::move(socket), plain_address(peer.address()));
      } else if (is_lack_of_descriptors(error) && !send_one_away()) {
        constexpr auto pause = std::chrono::milliseconds(100);
        co_await shared.clock.sleep_until(shared.clock.steady() + pause);
      }  // else the client left while it was queued
    }
  }

  // Whoever is not let into the lobby finds the connection closed.
  void take_in(tcp::socket socket, asio::ip::address peer) {
    HttpServerOptions const& options = shared.options;
    if (options.proxy_protocol && !is_within(options.trusted_proxies, peer)) {
      shared.bad_proxy_header.happened(options.listener);
      return;
    }
    auto place = shared.place_for(peer);
    if (!place) return;
    if (held() >= options.connections_max) {
      full.happened(options.listener);
      // A flood of silent connections pushes out itself, and whoever has something to say gets in.
      if (!lobby.send_oldest_away()) return;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    lobby.enter({.socket = std::move(socket), .peer = std::move(peer), .place = std::move(*place)});
  }

  // Accepts whoever waits with the spare descriptor, and closes; false when the spare could not be had back.
  bool send_one_away() {
    out_of_descriptors.happened(shared.options.listener);
    spare.give();
    error_code error;
    tcp::socket turned_away = acceptor.accept(error);
    turned_away.close(error);
    return spare.take();
  }

  void begin(Newcomer newcomer) {
    auto const position = connections.emplace(connections.end(), std::move(newcomer), shared);
    tasks.spawn(serve(position));
  }

  core::Task<> serve(std::list<Connection>::iterator connection) {
    struct Place {  // also when a handler's promise is broken so badly that run() throws
      std::list<Connection>& all;
      std::list<Connection>::iterator position;
      ~Place() { all.erase(position); }
    } const place{.all = connections, .position = connection};
    co_await connection->run();
  }

  error_code bind_own(tcp::endpoint const& endpoint) {
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    return error;
  }

  error_code take_over(int socket, tcp const& protocol) {
    error_code error;
    acceptor.assign(protocol, socket, error);
    return error;
  }

  [[nodiscard]] std::size_t held() const { return lobby.size() + connections.size(); }

  asio::io_context& loop;
  ConnectionContext shared;
  tcp::acceptor acceptor;
  SpareDescriptor spare;
  RepeatedLine full;
  RepeatedLine out_of_descriptors;
  Lobby lobby;
  std::list<Connection> connections;
  TaskGroup tasks;
  core::SteadyTime stopped{};
};

HttpServer::HttpServer(asio::io_context& loop, core::Clock& clock, core::Log& log, Router router,
                       HttpServerOptions options)
    : implementation_(
          std::make_shared<Implementation>(loop, clock, log, std::move(router), std::move(options))) {}

HttpServer::~HttpServer() = default;

core::Result<std::string, std::string> HttpServer::start() {
  Implementation& self = *implementation_;
  error_code error;
  auto const address = asio::ip::make_address(self.shared.options.address, error);
  if (error)
    return core::Result<std::string, std::string>(boost::system::in_place_error,
                                                  "not an IP address: " + self.shared.options.address);
  tcp::endpoint const endpoint(address, self.shared.options.port);
  int const inherited = self.shared.options.inherited_socket;
  error = inherited < 0 ? self.bind_own(endpoint) : self.take_over(inherited, endpoint.protocol());
  if (!error) self.acceptor.non_blocking(true, error);
  if (error) {
    return core::Result<std::string, std::string>(
        boost::system::in_place_error, "cannot listen on " + self.shared.options.address + ":" +
                                           std::to_string(self.shared.options.port) + ": " + error.message());
  }
  tcp::endpoint const bound = self.acceptor.local_endpoint();
  std::string const host =
      bound.address().is_v6() ? "[" + bound.address().to_string() + "]" : bound.address().to_string();
  self.tasks.spawn(self.lobby.run());
  self.tasks.spawn(self.accept_connections());
  return core::Result<std::string, std::string>(boost::system::in_place_value,
                                                host + ":" + std::to_string(bound.port()));
}

void HttpServer::use(TlsContext tls) { implementation_->shared.options.tls = std::move(tls); }

void HttpServer::stop() {
  Implementation& self = *implementation_;
  self.shared.stopping = true;
  error_code ignored;
  self.acceptor.close(ignored);
  self.lobby.shut();
  self.stopped = self.shared.clock.steady();
  for (Connection& connection : self.connections) {
    if (connection.idle() && !connection.is_new()) connection.close();
  }
}

core::Task<bool> HttpServer::drain(core::SteadyTime deadline) {
  Implementation& self = *implementation_;
  core::SteadyTime const last_word = std::min(deadline, self.stopped + core::limits::last_word_time);
  bool const ended_early = co_await self.tasks.join(self.shared.clock, last_word);
  if (ended_early) co_return true;
  self.lobby.send_all_away();
  for (Connection& connection : self.connections) {
    if (connection.idle()) connection.close();
  }
  bool const ended = co_await self.tasks.join(self.shared.clock, deadline);
  co_return ended;
}

std::size_t HttpServer::connections() const { return implementation_->held(); }

}  // namespace onetap::net
