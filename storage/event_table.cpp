#include "storage/event_table.hpp"

#include <algorithm>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

using core::unix_ms;

std::string_view event_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("observations.sql"));
  return statements.at(name);
}

}  // namespace

EventTable::EventTable(Connection& connection)
    : connection_(connection),
      insert_(connection, event_sql("insert_event")),
      count_(connection, event_sql("count_events")),
      trace_(connection, event_sql("trace_code")),
      settle_(connection, event_sql("settle_events")),
      settle_late_(connection, event_sql("settle_late_event")),
      forget_(connection, event_sql("forget_events")) {}

bool EventTable::is_full() {
  Rows rows = count_.query({});
  return rows.next() && rows.integer(0) >= static_cast<std::int64_t>(core::limits::events_kept_max);
}

core::Result<core::EventCounts, core::EventsRefused> EventTable::record(core::PageEvents const& told,
                                                                        std::int64_t app) {
  if (is_full()) return core::EventsRefused::full;
  core::EventCounts counts;
  for (core::PageEvent const& event : told.events) {
    Parameter code_key = nullptr;
    if (event.code_key) code_key = event.code_key->digest;
    insert_.run({app, event.id, core::to_string(event.type), core::to_string(event.kind), event.errno_told,
                 code_key, null_if_empty(event.scene), core::to_string(told.client_env), unix_ms(event.at),
                 unix_ms(told.received)});
    ++(connection_.changes() > 0 ? counts.accepted : counts.duplicates);
  }
  return counts;
}

core::ledger::Trace EventTable::trace(core::CodeKey const& code_key) {
  core::ledger::Trace trace;
  Rows rows = trace_.query({code_key.digest});
  while (rows.next()) {
    core::WallTime const issued = core::wall_time_of_unix_ms(rows.integer(0));
    trace.issued = std::min(trace.issued.value_or(issued), issued);
    if (rows.is_null(1)) continue;
    trace.used = core::ledger::Trace::Use{.consumption = rows.integer(1),
                                          .request_id = rows.text(2),
                                          .at = core::wall_time_of_unix_ms(rows.integer(3))};
  }
  return trace;
}

std::int64_t EventTable::settle(core::WallTime now, std::int64_t rows_max) {
  settle_.run({unix_ms(now), rows_max});
  return connection_.changes();
}

void EventTable::settle_late(std::span<LateEvent const> events) {
  for (LateEvent const& event : events) {
    try {
      settle_late_.run({event.id, event.consumption});
    } catch (SqliteError const& error) {
      if (!error.is_constraint()) throw;
    }
  }
}

std::int64_t EventTable::forget(core::WallTime before, std::int64_t rows_max) {
  forget_.run({unix_ms(before), rows_max});
  return connection_.changes();
}

std::vector<LateEvent> find_late_events(std::filesystem::path const& database, core::WallTime now,
                                        std::int64_t rows_max) {
  Connection connection(database, Access::read_only);
  Statement find(connection, event_sql("find_late_events"));
  std::vector<LateEvent> events;
  Rows rows = find.query({unix_ms(now), rows_max});
  while (rows.next()) events.push_back({.id = rows.integer(0), .consumption = rows.integer_or_none(1)});
  return events;
}

}  // namespace onetap::storage
