#include "net/wechat/resolver_cache.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {

ResolverCache::ResolverCache(asio::any_io_executor executor, core::Clock& clock, std::string host,
                             unsigned short port)
    : executor_(std::move(executor)), clock_(clock), host_(std::move(host)), port_(port) {
  boost::system::error_code not_an_address;
  auto const address = asio::ip::make_address(host_, not_an_address);
  if (!not_an_address) endpoints_.emplace_back(address, port_);
}

core::Task<> ResolverCache::run() {
  co_await core::shield_from_cancellation();
  bool const literal = !endpoints_.empty();
  while (!stopping_ && !literal) {
    asio::ip::tcp::resolver resolver(executor_);
    auto [error, results] =
        co_await resolver.async_resolve(host_, std::to_string(port_), asio::as_tuple(asio::use_awaitable));
    if (!error && !results.empty()) {
      endpoints_.clear();
      for (auto const& result : results) endpoints_.push_back(result.endpoint());
      found_.notify_all();
    }
    constexpr auto pause_after_failure = std::chrono::seconds(1);
    core::SteadyTime const again =
        clock_.steady() +
        (error ? core::seconds(pause_after_failure) : core::seconds(core::limits::resolve_refresh_time));
    if (!stopping_) [[maybe_unused]]
      bool const told = co_await clock_.wait(stopped_, again);
  }
}

void ResolverCache::stop() {
  stopping_ = true;
  stopped_.notify_all();
}

core::Task<std::vector<asio::ip::tcp::endpoint>> ResolverCache::endpoints(core::SteadyTime deadline) {
  if (endpoints_.empty() && !stopping_) [[maybe_unused]]
    bool const found = co_await clock_.wait(found_, deadline);
  co_return endpoints_;
}

}  // namespace onetap::net
