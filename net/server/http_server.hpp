#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/log.hpp"
#include "core/result.hpp"
#include "net/server/options.hpp"
#include "net/server/router.hpp"
#include "net/stream.hpp"

namespace onetap::net {

/// A listener and its connections: HTTP/1.1 with keep-alive, one request at a time on each.
/// Lives on the loop; must be stopped and drained before it is destroyed.
class HttpServer {
 public:
  HttpServer(asio::io_context& loop, core::Clock& clock, core::Log& log, Router router,
             HttpServerOptions options);
  HttpServer(HttpServer const&) = delete;
  HttpServer& operator=(HttpServer const&) = delete;
  ~HttpServer();

  /// Binds and listens, or takes over the inherited socket, and begins to accept; the address ("host:port"),
  /// or a sentence. An inherited socket goes on listening in the process that holds it, too.
  [[nodiscard]] core::Result<std::string, std::string> start();

  /// For connections from now on.
  void use(TlsContext tls);

  /// Accepts no more; idle connections end, busy ones end after their answer. Who has come and was not heard
  /// yet may still ask.
  void stop();

  /// Returns when the last connection has ended (true) or at `deadline` (false); after limits::last_word_time
  /// those that still say nothing end. After stop().
  [[nodiscard]] core::Task<bool> drain(core::SteadyTime deadline);

  /// Those that have not said a word yet included.
  [[nodiscard]] std::size_t connections() const;

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace onetap::net
