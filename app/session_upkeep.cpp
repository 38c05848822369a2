#include "app/session_upkeep.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace limits = core::limits;

// Some of what is left, and no longer in it: from its end, so that nothing else moves.
template <class Item>
std::vector<Item> take_some(std::vector<Item>& left, std::size_t most) {
  auto const begin = left.end() - static_cast<std::ptrdiff_t>(std::min(most, left.size()));
  std::vector<Item> some(begin, left.end());
  left.erase(begin, left.end());
  return some;
}

}  // namespace

core::Task<> SessionUpkeep::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    auto const pause =
        sessions_.is_behind(clock_.wall()) ? limits::session_upkeep_pause : limits::session_store_rhythm;
    [[maybe_unused]] bool const told = co_await clock_.wait(stop_, clock_.steady() + pause);
    core::SessionChanges changes = sessions_.take_changes(clock_.wall());
    co_await tell(std::move(changes));
  }
}

void SessionUpkeep::stop() {
  stopping_ = true;
  stop_.notify_all();
}

// In pieces: a code that comes meanwhile waits for one of them at most.
core::Task<> SessionUpkeep::tell(core::SessionChanges changes) {
  while (!changes.used.empty() || !changes.ended.empty()) {
    core::SessionChanges piece;
    piece.used = take_some(changes.used, limits::session_changes_at_once);
    piece.ended = take_some(changes.ended, limits::session_changes_at_once - piece.used.size());
    std::vector<core::SessionId> ended = piece.ended;
    bool const stored = co_await store_.change_sessions(std::move(piece));
    if (stored) continue;
    sessions_.tell_again(std::move(ended));
    sessions_.tell_again(std::move(changes.ended));
    co_return;
  }
}

}  // namespace onetap::app
