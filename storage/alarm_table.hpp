#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/billing/spending.hpp"
#include "core/billing/top_users.hpp"
#include "core/billing/usage.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// Alarms in the database. Lives beside the only writing connection; each call is part of its caller's
/// transaction.
class AlarmTable {
 public:
  explicit AlarmTable(Connection& connection);

  void change(core::AlarmChanges const& changes);

 private:
  Statement end_subject_;
  Statement insert_;
  Statement end_;
  Statement mark_sent_;
  Statement forget_;
};

/// Those that are on, and the last that ended (limits::alarms_remembered); the newest last.
[[nodiscard]] std::vector<core::Alarm> load_alarms(Connection& connection);

/// What WeChat said last, of each app and kind of which it has said anything. A pack that has ended since is
/// over.
[[nodiscard]] std::vector<core::LastUsage> load_last_usage(Connection& connection, core::WallTime now);

struct SpendingRead {
  std::vector<core::UnitsOfHour> hours;
  std::int64_t last_entry = 0;  // of what was read: the next read goes on after it
};

/// What the ledger has booked as charged, or moved out of the overdraft, after the entry `after`, and at
/// `since` or later. Throws SqliteError.
[[nodiscard]] SpendingRead read_spending(Connection& connection, std::int64_t after, core::WallTime since);

/// Who brought the most codes since then, at most limits::top_rows_max of them. Throws SqliteError.
[[nodiscard]] std::vector<core::TopUser> read_top_users(Connection& connection, core::WallTime since);

}  // namespace onetap::storage
