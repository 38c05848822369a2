#include "net/wechat/connection_pool.hpp"

#include <utility>

#include "core/limits.hpp"

namespace onetap::net {

std::optional<Stream> ConnectionPool::take() {
  prune();
  while (!idle_.empty()) {
    Stream stream = std::move(idle_.back().stream);
    idle_.pop_back();
    if (stream.is_idle_and_alive()) return stream;
  }
  return std::nullopt;
}

void ConnectionPool::give_back(Stream stream) {
  prune();
  if (idle_.size() >= core::limits::wechat_idle_lines_max) return;
  stream.expires_at(core::SteadyTime::max());
  idle_.push_back({.stream = std::move(stream), .since = clock_.steady()});
}

void ConnectionPool::prune() {
  core::SteadyTime const oldest = clock_.steady() - core::limits::wechat_idle_time;
  while (!idle_.empty() && idle_.front().since < oldest) idle_.pop_front();
}

}  // namespace onetap::net
