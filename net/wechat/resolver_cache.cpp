#include "net/wechat/resolver_cache.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {
namespace {

using boost::system::error_code;
using Found = core::Result<Endpoints, error_code>;

core::Task<Found> look_up(asio::any_io_executor executor, std::string host, unsigned short port) {
  asio::ip::tcp::resolver resolver(executor);
  auto [error, results] =
      co_await resolver.async_resolve(host, std::to_string(port), asio::as_tuple(asio::use_awaitable));
  if (!error && results.empty()) error = asio::error::host_not_found;
  if (error) co_return Found(boost::system::in_place_error, error);
  Endpoints endpoints;
  for (auto const& result : results) endpoints.push_back(result.endpoint());
  co_return Found(boost::system::in_place_value, std::move(endpoints));
}

}  // namespace

Lookup system_lookup(asio::any_io_executor executor) {
  return [executor = std::move(executor)](std::string host, unsigned short port) {
    return look_up(executor, std::move(host), port);
  };
}

ResolverCache::ResolverCache(core::Clock& clock, std::vector<Name> const& names, Lookup lookup)
    : clock_(clock), lookup_(std::move(lookup)) {
  for (Name const& name : names) {
    Entry entry{.name = name, .due = core::SteadyTime::min(), .endpoints = {}, .reason = "not resolved yet"};
    error_code not_an_address;
    auto const address = asio::ip::make_address(name.host, not_an_address);
    if (!not_an_address) {
      entry.due = core::SteadyTime::max();
      entry.endpoints.emplace_back(address, name.port);
    }
    entries_.push_back(std::move(entry));
  }
}

// One name after the other: Asio has one thread for them anyway.
core::Task<> ResolverCache::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    auto const next = std::ranges::min_element(entries_, {}, &Entry::due);
    if (next == entries_.end() || next->due == core::SteadyTime::max()) co_return;
    if (next->due <= clock_.steady()) {
      co_await refresh(*next);
    } else {
      [[maybe_unused]] bool const told = co_await clock_.wait(stopped_, next->due);
    }
  }
}

core::Task<> ResolverCache::refresh(Entry& entry) {
  constexpr auto pause_after_failure = std::chrono::seconds(1);
  entry.due = clock_.steady() + core::limits::resolve_refresh_time;
  Found found = co_await lookup_(entry.name.host, entry.name.port);
  if (!found) {
    entry.reason = found.error().message();
    entry.due = clock_.steady() + pause_after_failure;
    co_return;
  }
  entry.endpoints = std::move(*found);
  if (entry.endpoints.size() > core::limits::resolved_endpoints_max)
    entry.endpoints.resize(core::limits::resolved_endpoints_max);
  news_.notify_all();
}

void ResolverCache::stop() {
  stopping_ = true;
  stopped_.notify_all();
  news_.notify_all();
}

core::Task<bool> ResolverCache::wait_for_news(core::SteadyTime deadline) {
  if (stopping_) co_return false;
  bool const told = co_await clock_.wait(news_, deadline);
  co_return told && !stopping_;
}

}  // namespace onetap::net
