#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "core/clock.hpp"

namespace onetap::net {

namespace asio = boost::asio;

/// Keeps a host's addresses at hand and fresh. Asio's resolver can be neither cancelled nor timed out,
/// so it never stands on a request's path: requests take what was found last.
class ResolverCache {
 public:
  ResolverCache(asio::any_io_executor executor, core::Clock& clock, std::string host, unsigned short port);

  /// Resolves now and each minute, until stop(). An address literal needs no resolving.
  [[nodiscard]] core::Task<> run();
  void stop();

  /// The addresses found last; waits for the first finding only. Empty at `deadline`.
  [[nodiscard]] core::Task<std::vector<asio::ip::tcp::endpoint>> endpoints(core::SteadyTime deadline);

 private:
  asio::any_io_executor executor_;
  core::Clock& clock_;
  std::string host_;
  unsigned short port_;
  std::vector<asio::ip::tcp::endpoint> endpoints_;
  bool stopping_ = false;
  core::Signal found_;
  core::Signal stopped_;
};

}  // namespace onetap::net
