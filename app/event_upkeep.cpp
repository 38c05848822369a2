#include "app/event_upkeep.hpp"

#include <utility>
#include <vector>

#include "app/worker.hpp"
#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace limits = core::limits;
using Found = core::Result<std::vector<storage::LateEvent>, std::string>;

Found find(std::filesystem::path const& database, core::WallTime now) {
  try {
    return storage::find_late_events(database, now, limits::late_events_at_once);
  } catch (storage::SqliteError const& error) {
    return {boost::system::in_place_error, error.what()};
  }
}

}  // namespace

core::Task<> EventUpkeep::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    [[maybe_unused]] bool const told =
        co_await clock_.wait(stop_, clock_.steady() + limits::late_events_rhythm);
    bool more = !stopping_;
    while (more) {
      bool const some_are_left = co_await settle_some();
      more = some_are_left && !stopping_;
      if (more) [[maybe_unused]]
        bool const woken = co_await clock_.wait(stop_, clock_.steady() + limits::late_events_pause);
    }
  }
}

void EventUpkeep::stop() {
  stopping_ = true;
  stop_.notify_all();
}

core::Task<bool> EventUpkeep::settle_some() {
  auto look = [database = database_, now = clock_.wall()] { return find(database, now); };
  Found found = co_await run_on(worker_, std::move(look));
  if (!found) {
    log_.warn("late_events_not_settled", {{"what", found.error()}});
    co_return false;
  }
  if (found->empty()) co_return false;
  bool const all_of_them = found->size() < limits::late_events_at_once;
  bool const settled = co_await ledger_.settle_late_events(std::move(*found));
  co_return settled && !all_of_them;
}

}  // namespace onetap::app
