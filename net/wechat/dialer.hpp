#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"
#include "net/wechat/http_proxy.hpp"
#include "net/wechat/resolver_cache.hpp"
#include "net/wechat/route.hpp"

namespace onetap::net {

/// Opens new connections to WeChat. Each endpoint of the first address is tried, then those of the next;
/// one that failed is tried last for half a minute. One that stays silent has its share of the time.
class Dialer {
 public:
  struct Connection {
    Stream stream;            // handshaken
    std::size_t address = 0;  // which of the route's
  };
  using Dialed = core::Result<Connection, DialFailure>;

  Dialer(asio::any_io_executor executor, core::Clock& clock, TlsContext tls, WeChatRoute route,
         Lookup lookup);

  /// Keeps the addresses fresh, until stop().
  [[nodiscard]] core::Task<> run() { return names_.run(); }
  void stop() { names_.stop(); }

  /// For the proxy, from the next connection on; nothing where there is none.
  void use(ProxyCredentials credentials) {
    if (route_.proxy) route_.proxy->credentials = std::move(credentials);
  }

  /// By `deadline`, and within limits::wechat_connect_time. The failure is the last one's, and its detail
  /// tells of each address.
  [[nodiscard]] core::Task<Dialed> dial(core::SteadyTime deadline);

  [[nodiscard]] WeChatAddress const& address(std::size_t index) const { return route_.addresses[index]; }

 private:
  struct Candidate {
    std::size_t address = 0;
    tcp::endpoint endpoint;  // the proxy's, where there is one

    bool operator==(Candidate const&) const = default;
  };
  struct Failed {
    Candidate candidate;
    core::SteadyTime until;
  };

  [[nodiscard]] std::vector<Candidate> candidates();
  [[nodiscard]] core::Task<std::vector<Candidate>> await_candidates(core::SteadyTime deadline);
  [[nodiscard]] core::Task<Dialed> attempt(Candidate candidate, core::SteadyTime connected_by,
                                           core::SteadyTime handshaken_by);
  void remember_failed(Candidate const& candidate);
  void forget_failed(Candidate const& candidate);
  [[nodiscard]] std::string describe(Candidate const& candidate) const;
  [[nodiscard]] DialFailure unresolved() const;

  asio::any_io_executor executor_;
  core::Clock& clock_;
  TlsContext tls_;
  WeChatRoute route_;
  ResolverCache names_;  // of the addresses, or the proxy's alone
  std::deque<Failed> failed_;
  core::SteadyTime sessions_end_ = core::SteadyTime::min();
};

}  // namespace onetap::net
