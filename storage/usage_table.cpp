#include "storage/usage_table.hpp"

#include <algorithm>

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
      insert_(connection, usage_sql("insert_usage_snapshot")) {}

void UsageTable::record(core::UsageSnapshot const& snapshot, std::int64_t app) {
  for (core::PackUsage const& pack : snapshot.packs) {
    auto id = find(snapshot, pack, app);
    if (!id) id = add(snapshot, pack, app);
    if (!id) continue;
    set_times_.run({*id, ms_of(pack.starts), ms_of(end_of(pack, snapshot.as_of))});
    insert_.run({*id, pack.all, pack.used, static_cast<std::int64_t>(pack.status), ms_of(pack.starts),
                 ms_of(pack.ends), core::unix_ms(snapshot.as_of)});
  }
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

// One that is over and was never known can take no unit of ours: it is left out.
std::optional<std::int64_t> UsageTable::add(core::UsageSnapshot const& snapshot, core::PackUsage const& pack,
                                            std::int64_t app) {
  if (pack.status == core::PackUsage::Status::over) return std::nullopt;
  core::admin::Command const adding{.act = core::admin::AddPack{.appid = snapshot.appid,
                                                                .kind = snapshot.kind,
                                                                .trial = pack.is_trial(),
                                                                .units = pack.all,
                                                                .used_before = std::min(pack.used, pack.all),
                                                                .starts = pack.starts,
                                                                .ends = pack.ends,
                                                                .wx_pkg_id = pack.pkg_id},
                                    .at = snapshot.as_of};
  core::admin::Answer const added = bookkeeper_.run(adding, app);
  return added ? std::optional(added->id) : std::nullopt;
}

}  // namespace onetap::storage
