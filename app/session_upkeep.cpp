#include "app/session_upkeep.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace limits = core::limits;

// The first so many of what is left, and no longer in it.
template <class Item>
std::vector<Item> take_first(std::vector<Item>& left, std::size_t most) {
  auto const end = left.begin() + static_cast<std::ptrdiff_t>(std::min(most, left.size()));
  std::vector<Item> first(std::make_move_iterator(left.begin()), std::make_move_iterator(end));
  left.erase(left.begin(), end);
  return first;
}

}  // namespace

core::Task<> SessionUpkeep::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    [[maybe_unused]] bool const told =
        co_await clock_.wait(stop_, clock_.steady() + limits::session_store_rhythm);
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
    piece.used = take_first(changes.used, limits::session_changes_at_once);
    piece.ended = take_first(changes.ended, limits::session_changes_at_once - piece.used.size());
    core::SessionChanges const asked = piece;
    bool const stored = co_await store_.change_sessions(std::move(piece));
    if (stored) continue;
    sessions_.tell_again(asked.ended);
    sessions_.tell_again(std::move(changes.ended));
    co_return;
  }
}

}  // namespace onetap::app
