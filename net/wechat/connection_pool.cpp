#include "net/wechat/connection_pool.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {

std::optional<PooledLine> ConnectionPool::take() {
  prune();
  while (!idle_.empty()) {
    PooledLine line = std::move(idle_.back());
    idle_.pop_back();
    if (is_fit(line)) return line;
  }
  return std::nullopt;
}

void ConnectionPool::give_back(PooledLine line) {
  prune();
  if (idle_.size() >= core::limits::wechat_idle_lines_max || is_too_old(line, clock_.steady())) return;
  line.stream.expires_at(core::SteadyTime::max());
  idle_.push_back(std::move(line));
}

bool ConnectionPool::is_fit(PooledLine& line) const {
  return !is_too_old(line, clock_.steady()) && line.stream.is_idle_and_alive();
}

// Those that have been idle for longest stand in front; whatever else is too old is found when it is taken.
void ConnectionPool::prune() {
  auto const is_good = [now = clock_.steady()](PooledLine const& line) { return !is_too_old(line, now); };
  idle_.erase(idle_.begin(), std::ranges::find_if(idle_, is_good));
}

bool ConnectionPool::is_too_old(PooledLine const& line, core::SteadyTime now) {
  return now - line.idle_since > core::limits::wechat_idle_time ||
         now - line.opened > core::limits::wechat_line_time;
}

}  // namespace onetap::net
