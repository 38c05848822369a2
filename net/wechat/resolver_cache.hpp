#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace onetap::net {

namespace asio = boost::asio;

using Endpoints = std::vector<asio::ip::tcp::endpoint>;

/// What a name stands for at this moment; not empty.
using Lookup = std::function<core::Task<core::Result<Endpoints, boost::system::error_code>>(
    std::string host, unsigned short port)>;

/// The system's: /etc/hosts, name servers.
[[nodiscard]] Lookup system_lookup(asio::any_io_executor executor);

/// Keeps the addresses of a few names at hand and fresh. Asio's resolver can be neither cancelled nor timed
/// out, so it never stands on a request's path: requests take what was found last.
class ResolverCache {
 public:
  struct Name {
    std::string host;
    unsigned short port = 0;
  };

  ResolverCache(core::Clock& clock, std::vector<Name> const& names, Lookup lookup);

  /// Resolves each name now and each minute, until stop(); what is not found, each second. Returns at once
  /// where there are address literals only.
  [[nodiscard]] core::Task<> run();
  void stop();

  /// The addresses of the name at `index` that were found last; empty as long as there were none.
  [[nodiscard]] Endpoints const& endpoints(std::size_t index) const { return entries_[index].endpoints; }

  /// Why there are none.
  [[nodiscard]] std::string const& reason(std::size_t index) const { return entries_[index].reason; }

  /// True when addresses of any name were found; false at `deadline`, and after stop().
  [[nodiscard]] core::Task<bool> wait_for_news(core::SteadyTime deadline);

 private:
  struct Entry {
    Name name;
    core::SteadyTime due;  // max for an address literal
    Endpoints endpoints;
    std::string reason;
  };

  [[nodiscard]] core::Task<> refresh(Entry& entry);

  core::Clock& clock_;
  std::vector<Entry> entries_;
  Lookup lookup_;
  bool stopping_ = false;
  core::Signal news_;
  core::Signal stopped_;
};

}  // namespace onetap::net
