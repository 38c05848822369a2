#include "app/spending_watch.hpp"

#include <utility>

#include "app/worker.hpp"
#include "core/limits.hpp"
#include "storage/alarm_table.hpp"

namespace onetap::app {
namespace {

namespace limits = core::limits;

/// What `read` makes of the ledger, on a connection that cannot write; a sentence when it cannot be read.
template <class Read>
auto read_ledger(std::filesystem::path const& database, Read const& read) {
  using Value = decltype(read(std::declval<storage::Connection&>()));
  using Outcome = core::Result<Value, std::string>;
  try {
    storage::Connection connection(database, storage::Access::read_only);
    return Outcome(boost::system::in_place_value, read(connection));
  } catch (storage::SqliteError const& error) {
    return Outcome(boost::system::in_place_error, error.what());
  }
}

}  // namespace

core::Task<> SpendingWatch::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    co_await read();
    changed_();
    if (stopping_) break;
    core::SteadyTime const next = clock_.steady() + limits::spending_rhythm;
    [[maybe_unused]] bool const told = co_await clock_.wait(stop_, next);
  }
}

void SpendingWatch::stop() {
  stopping_ = true;
  stop_.notify_all();
}

core::Task<> SpendingWatch::read() {
  core::WallTime const now = clock_.wall();
  core::WallTime const since =
      core::WallTime(std::chrono::hours(core::hour_of(now))) - std::chrono::days(limits::spending_days);
  auto look = [database = database_, after = last_entry_, since] {
    return read_ledger(database, [&](storage::Connection& connection) {
      return storage::read_spending(connection, after, since);
    });
  };
  auto const found = co_await run_on(worker_, std::move(look));
  has_read_ = true;
  if (!found) {
    log_.warn("spending_not_read", {{"what", found.error()}});
    co_return;
  }
  for (core::UnitsOfHour const& units : found->hours) spending_.add(units);
  last_entry_ = found->last_entry;
  spending_.forget_old(now);
}

core::Task<core::Result<std::vector<core::TopUser>, std::string>> SpendingWatch::top_users(int hours) {
  core::WallTime const since = clock_.wall() - std::chrono::hours(hours);
  auto look = [database = database_, since] {
    return read_ledger(database, [&](storage::Connection& connection) {
      return storage::read_top_users(connection, since);
    });
  };
  auto found = co_await run_on(worker_, std::move(look));
  if (!found) log_.warn("top_users_not_read", {{"what", found.error()}});
  co_return found;
}

}  // namespace onetap::app
