#include "net/server/http_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "core/limits.hpp"
#include "net/server/connection.hpp"
#include "net/task_group.hpp"

namespace onetap::net {

struct HttpServer::Implementation {
  Implementation(asio::io_context& its_loop, core::Clock& its_clock, core::Log& its_log, Router its_router,
                 HttpServerOptions its_options)
      : loop(its_loop),
        clock(its_clock),
        log(its_log),
        router(std::move(its_router)),
        options(std::move(its_options)),
        acceptor(its_loop),
        tasks(its_loop.get_executor(), [this](std::string const& what) {
          log.error("connection_failed", {{"listener", options.listener}, {"what", what}});
        }) {}

  core::Task<> accept_connections() {
    co_await core::shield_from_cancellation();
    while (!stopping) {
      auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
      if (stopping) break;
      if (error) {
        // Out of descriptors, or the client left while it was queued: neither ends the listener.
        constexpr auto pause = std::chrono::milliseconds(100);
        co_await clock.sleep_until(clock.steady() + pause);
        continue;
      }
      if (connections.size() >= options.connections_max) continue;  // the socket closes
      tasks.spawn(serve(std::move(socket)));
    }
  }

  core::Task<> serve(tcp::socket socket) {
    if (stopping) co_return;  // accepted in the last moment: stop() has not seen it
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    ConnectionContext const context{.clock = clock,
                                    .log = log,
                                    .router = router,
                                    .listener = options.listener,
                                    .log_requests = options.log_requests,
                                    .stopping = stopping};
    Stream stream = options.tls ? Stream(std::move(socket), *options.tls) : Stream(std::move(socket));
    struct Place {  // also when a handler's promise is broken so badly that run() throws
      std::list<Connection>& all;
      std::list<Connection>::iterator position;
      ~Place() { all.erase(position); }
    } const place{.all = connections,
                  .position = connections.emplace(connections.end(), std::move(stream), context)};
    co_await place.position->run();
  }

  asio::io_context& loop;
  core::Clock& clock;
  core::Log& log;
  Router router;
  HttpServerOptions options;
  tcp::acceptor acceptor;
  std::list<Connection> connections;
  bool stopping = false;
  TaskGroup tasks;
};

HttpServer::HttpServer(asio::io_context& loop, core::Clock& clock, core::Log& log, Router router,
                       HttpServerOptions options)
    : implementation_(
          std::make_shared<Implementation>(loop, clock, log, std::move(router), std::move(options))) {}

HttpServer::~HttpServer() = default;

core::Result<std::string, std::string> HttpServer::start() {
  Implementation& self = *implementation_;
  error_code error;
  auto const address = asio::ip::make_address(self.options.address, error);
  if (error)
    return core::Result<std::string, std::string>(boost::system::in_place_error,
                                                  "not an IP address: " + self.options.address);
  tcp::endpoint const endpoint(address, self.options.port);
  self.acceptor.open(endpoint.protocol(), error);
  if (!error) self.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) self.acceptor.bind(endpoint, error);
  if (!error) self.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return core::Result<std::string, std::string>(
        boost::system::in_place_error, "cannot listen on " + self.options.address + ":" +
                                           std::to_string(self.options.port) + ": " + error.message());
  }
  tcp::endpoint const bound = self.acceptor.local_endpoint();
  std::string const host =
      bound.address().is_v6() ? "[" + bound.address().to_string() + "]" : bound.address().to_string();
  self.tasks.spawn(self.accept_connections());
  return core::Result<std::string, std::string>(boost::system::in_place_value,
                                                host + ":" + std::to_string(bound.port()));
}

void HttpServer::use(TlsContext tls) { implementation_->options.tls = std::move(tls); }

void HttpServer::stop() {
  Implementation& self = *implementation_;
  self.stopping = true;
  error_code ignored;
  self.acceptor.close(ignored);
  for (Connection& connection : self.connections) {
    if (connection.idle()) connection.close();
  }
}

core::Task<bool> HttpServer::drain(core::SteadyTime deadline) {
  Implementation& self = *implementation_;
  bool const ended = co_await self.tasks.join(self.clock, deadline);
  co_return ended;
}

std::size_t HttpServer::connections() const { return implementation_->connections.size(); }

}  // namespace onetap::net
