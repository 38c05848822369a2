#include "storage/usage_table.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

std::string_view usage_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("observations.sql"));
  return statements.at(name);
}

std::optional<std::int64_t> ms_of(std::optional<core::WallTime> const& time) {
  if (!time) return std::nullopt;
  return core::unix_ms(*time);
}

// What is over takes no code any more, whenever it was to end; and an end that has passed ends nothing that
// WeChat calls in force: what would expire does not come back.
std::optional<core::WallTime> end_of(core::PackUsage const& pack, core::WallTime as_of) {
  bool const has_passed = pack.ends && *pack.ends <= as_of;
  if (pack.status == core::PackUsage::Status::over) return has_passed ? pack.ends : std::optional(as_of);
  return has_passed ? std::nullopt : pack.ends;
}

}  // namespace

UsageTable::UsageTable(Connection& connection, Bookkeeper& bookkeeper)
    : bookkeeper_(bookkeeper),
      find_(connection, usage_sql("find_pack_of_wechat")),
      find_unnamed_(connection, usage_sql("find_unnamed_pack")),
      name_(connection, usage_sql("name_pack")),
      set_times_(connection, usage_sql("set_pack_times")),
      insert_(connection, usage_sql("insert_usage_snapshot")),
      keep_listing_(connection, usage_sql("keep_pack_listing")),
      keep_answer_(connection, usage_sql("keep_usage_answer")),
      keep_told_(connection, usage_sql("keep_told_percent")),
      is_older_(connection, usage_sql("is_older_pack")),
      insert_opening_(connection, usage_sql("insert_pack_opening")),
      find_opening_(connection, usage_sql("find_pack_opening")),
      set_opening_(connection, usage_sql("set_pack_opening")),
      count_codes_(connection, usage_sql("count_codes_of_pack_since")) {}

core::UsageKept UsageTable::record(core::UsageSnapshot const& snapshot, std::int64_t app) {
  core::UsageKept kept;
  for (core::PackUsage const& pack : snapshot.packs) {
    auto id = find(snapshot, pack, app);
    // One that is over and was never known can take no unit of ours.
    if (!id && pack.status == core::PackUsage::Status::over) continue;
    if (!id) {
      auto const added = add(snapshot, pack, app);
      if (!added) kept.left_out.push_back({.pkg_id = pack.pkg_id, .why = added.error().sentence});
      if (!added) continue;
      id = added->id;
    }
    auto const ends = end_of(pack, snapshot.as_of);
    set_times_.run({*id, ms_of(pack.starts), ms_of(ends)});
    bool const is_over = ends && *ends <= snapshot.as_of;
    if (!is_over) bookkeeper_.revive(*id, snapshot.as_of);
    grow_opening(*id, pack, snapshot.as_of);
    insert_.run({*id, pack.all, pack.used, static_cast<std::int64_t>(pack.status), ms_of(pack.starts),
                 ms_of(pack.ends), core::unix_ms(snapshot.as_of)});
    keep_listing_.run({*id, core::unix_ms(snapshot.as_of)});
  }
  keep_answer_.run({app, core::to_string(snapshot.kind), core::unix_ms(snapshot.as_of)});
  kept.doubts_lost = bookkeeper_.end_old_doubts(app, snapshot.kind, snapshot.as_of);
  return kept;
}

void UsageTable::keep(core::PushedUsage const& pushed, std::int64_t app) {
  std::optional<std::int64_t> percent;
  std::optional<std::int64_t> at;
  if (pushed.told) percent = pushed.told->percent_left;
  if (pushed.told) at = core::unix_ms(pushed.told->at);
  keep_told_.run({app, core::to_string(pushed.kind), percent, at});
}

std::optional<std::int64_t> UsageTable::find(core::UsageSnapshot const& snapshot, core::PackUsage const& pack,
                                             std::int64_t app) {
  std::string_view const kind = core::to_string(snapshot.kind);
  {
    Rows rows = find_.query({app, kind, pack.pkg_id});
    if (rows.next()) return rows.integer(0);
  }
  if (pack.is_trial() || pack.status == core::PackUsage::Status::over) return std::nullopt;
  std::int64_t unnamed = 0;
  {
    Rows rows = find_unnamed_.query({app, kind, pack.all, ms_of(pack.ends)});
    if (!rows.next()) return std::nullopt;
    unnamed = rows.integer(0);
    if (rows.next()) return std::nullopt;  // which of them, nobody can tell
  }
  name_.run({unnamed, pack.pkg_id});
  return unnamed;
}

core::admin::Answer UsageTable::add(core::UsageSnapshot const& snapshot, core::PackUsage const& pack,
                                    std::int64_t app) {
  bool const is_older = is_older_than_the_ledger(snapshot, pack, app);
  core::admin::Command const adding{
      .act = core::admin::AddPack{.appid = snapshot.appid,
                                  .kind = snapshot.kind,
                                  .trial = pack.is_trial(),
                                  .units = pack.all,
                                  .used_before = is_older ? std::min(pack.used, pack.all) : 0,
                                  .starts = pack.starts,
                                  .ends = end_of(pack, snapshot.as_of),
                                  .wx_pkg_id = pack.pkg_id},
      .at = snapshot.as_of};
  core::admin::Answer added = bookkeeper_.run(adding, app);
  if (added && is_older) insert_opening_.run({added->id, core::unix_ms(snapshot.as_of)});
  return added;
}

// Of a pack that was bought since, each unit should have come by here: what did not is a leak.
bool UsageTable::is_older_than_the_ledger(core::UsageSnapshot const& snapshot, core::PackUsage const& pack,
                                          std::int64_t app) {
  Rows rows = is_older_.query(
      {app, core::to_string(snapshot.kind), ms_of(pack.starts), core::unix_ms(snapshot.as_of)});
  return rows.next() && rows.integer(0) != 0;
}

// At first sight WeChat's figures lag behind what was burnt before: what comes of it within so many minutes
// is opening, too. The codes that these figures may still lack are all that can hide some of it for longer.
void UsageTable::grow_opening(std::int64_t id, core::PackUsage const& pack, core::WallTime as_of) {
  core::milliseconds const lag = core::limits::usage_lag_max;
  std::int64_t units_max = 0;
  std::int64_t before = 0;
  std::int64_t charged = 0;
  std::int64_t in_doubt = 0;
  {
    Rows rows = find_opening_.query({id});
    if (!rows.next()) return;
    core::WallTime const caught_up = core::wall_time_of_unix_ms(rows.integer(0)) + lag;
    if (as_of < caught_up) return;
    before = rows.integer(2);
    charged = rows.integer(3);
    in_doubt = rows.integer(4);
    if (rows.is_null(1)) {
      // Much later it would be a leak.
      bool const is_just_in_time = as_of < caught_up + lag;
      std::int64_t const old = charged - count_codes_since(id, as_of - lag);
      units_max = is_just_in_time ? std::max(before, pack.used - old) : before;
      set_opening_.run({id, units_max});
    } else {
      units_max = rows.integer(1);
    }
  }
  std::int64_t const more = pack.used - before - charged - in_doubt;
  bookkeeper_.open_with(id, std::min(more, units_max - before), as_of);
}

std::int64_t UsageTable::count_codes_since(std::int64_t pack, core::WallTime time) {
  Rows rows = count_codes_.query({pack, core::unix_ms(time)});
  return rows.next() ? rows.integer(0) : 0;
}

}  // namespace onetap::storage
