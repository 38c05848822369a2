#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "core/billing/events.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// What became of the code of an event that its page had kept for long.
struct LateEvent {
  std::int64_t id = 0;
  std::optional<std::int64_t> consumption;  // none: it never came
};

/// The page's events in the database. Lives beside the only writing connection; each call is part of its
/// caller's transaction.
class EventTable {
 public:
  explicit EventTable(Connection& connection);

  /// `app` is the id of the events' app.
  [[nodiscard]] core::Result<core::EventCounts, core::EventsRefused> record(core::PageEvents const& told,
                                                                            std::int64_t app);

  /// By what pages told of a code, and by what those events became.
  [[nodiscard]] core::ledger::Trace trace(core::CodeKey const& code_key);

  /// Settles whether the codes of events came that are old enough to tell, at most so many; how many it were.
  std::int64_t settle(core::WallTime now, std::int64_t rows_max);
  /// One that the schema refuses stays as it is, and keeps no other from being settled.
  void settle_late(std::span<LateEvent const> events);

  /// Deletes what was received before, the oldest first, at most so many; how many it were.
  std::int64_t forget(core::WallTime before, std::int64_t rows_max);

 private:
  [[nodiscard]] bool is_full();

  Connection& connection_;
  Statement insert_;
  Statement count_;
  Statement trace_;
  Statement settle_;
  Statement settle_late_;
  Statement forget_;
};

/// The events that EventTable::settle leaves out, with what the history says of their codes. Reads on a
/// connection of its own, for a thread that nobody waits for. Throws SqliteError.
[[nodiscard]] std::vector<LateEvent> find_late_events(std::filesystem::path const& database,
                                                      core::WallTime now, std::int64_t rows_max);

}  // namespace onetap::storage
