#include "storage/alarm_table.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

constexpr auto alarm_life = std::chrono::days(400);  // of one that is over: a year's can be compared

std::string_view alarm_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("alarms.sql"));
  return statements.at(name);
}

std::optional<core::WallTime> time_in(Rows const& rows, int column) {
  auto const ms = rows.integer_or_none(column);
  return ms ? std::optional(core::wall_time_of_unix_ms(*ms)) : std::nullopt;
}

core::Kind kind_in(Rows const& rows, int column) {
  return rows.text(column) == "realtime" ? core::Kind::realtime : core::Kind::quick;
}

core::json::object facts_in(Rows const& rows, int column) {
  boost::system::error_code unreadable;
  core::json::value const read = core::json::parse(rows.text(column), unreadable);
  return read.is_object() ? read.get_object() : core::json::object();
}

}  // namespace

AlarmTable::AlarmTable(Connection& connection)
    : end_subject_(connection, alarm_sql("end_alarm_of_subject")),
      insert_(connection, alarm_sql("insert_alarm")),
      end_(connection, alarm_sql("end_alarm")),
      mark_sent_(connection, alarm_sql("mark_alarm_sent")),
      forget_(connection, alarm_sql("forget_alarms")) {}

void AlarmTable::change(core::AlarmChanges const& changes) {
  // First the ends: a worse step takes the place of the one before.
  for (core::AlarmChanges::At const& each : changes.ended) end_.run({each.id, core::unix_ms(each.at)});
  for (core::Alarm const& alarm : changes.raised) {
    core::AlarmSubject const& subject = alarm.subject;
    std::string_view const name = core::to_string(subject.name);
    std::int64_t const raised_ms = core::unix_ms(alarm.raised);
    std::string facts = core::json::serialize(alarm.facts);
    if (facts.size() > core::limits::alarm_bytes_max) facts = "{}";
    end_subject_.run({name, subject.appid, subject.kind, subject.what, raised_ms});
    insert_.run({alarm.id, name, subject.appid, subject.kind, subject.what, alarm.step,
                 core::to_string(alarm.severity), facts, alarm.units_given, raised_ms});
  }
  // One that was raised and is over before it was written.
  for (core::AlarmChanges::At const& each : changes.ended) end_.run({each.id, core::unix_ms(each.at)});
  for (core::AlarmChanges::At const& each : changes.sent) mark_sent_.run({each.id, core::unix_ms(each.at)});
  if (changes.raised.empty()) return;
  forget_.run({core::unix_ms(changes.raised.back().raised - alarm_life)});
}

std::vector<core::Alarm> load_alarms(Connection& connection) {
  Statement list(connection, alarm_sql("list_alarms"));
  std::vector<core::Alarm> alarms;
  Rows rows = list.query({static_cast<std::int64_t>(core::limits::alarms_remembered)});
  while (rows.next()) {
    auto const name = core::alarm_name_from(rows.text(1));
    if (!name) continue;  // of another version
    alarms.push_back(
        {.id = rows.text(0),
         .subject = {.name = *name, .appid = rows.text(2), .kind = rows.text(3), .what = rows.text(4)},
         .step = static_cast<int>(rows.integer(5)),
         .severity =
             rows.text(6) == "critical" ? core::AlarmSeverity::critical : core::AlarmSeverity::warning,
         .facts = facts_in(rows, 7),
         .units_given = rows.integer(8),
         .raised = core::wall_time_of_unix_ms(rows.integer(9)),
         .ended = time_in(rows, 10),
         .sent = time_in(rows, 11)});
  }
  return alarms;
}

std::vector<core::LastUsage> load_last_usage(Connection& connection, core::WallTime now) {
  std::vector<core::LastUsage> found;
  Statement list_answers(connection, alarm_sql("list_usage_answers"));
  Rows answers = list_answers.query({});
  while (answers.next()) {
    core::LastUsage& last = found.emplace_back();
    last.appid = answers.text(0);
    last.kind = kind_in(answers, 1);
    if (auto const as_of = time_in(answers, 2))
      last.snapshot =
          core::UsageSnapshot{.appid = last.appid, .kind = last.kind, .packs = {}, .as_of = *as_of};
    if (auto const at = time_in(answers, 4))
      last.told = core::ToldPercent{.percent_left = static_cast<int>(answers.integer(3)), .at = *at};
  }
  Statement list_packs(connection, alarm_sql("list_last_usage"));
  Rows packs = list_packs.query({core::unix_ms(now)});
  while (packs.next()) {
    auto const last = std::ranges::find_if(found, [&](core::LastUsage const& each) {
      return each.appid == packs.text(0) && each.kind == kind_in(packs, 1);
    });
    // Another process may have written between the two looks.
    if (last == found.end() || !last->snapshot) continue;
    auto const status = std::clamp<std::int64_t>(packs.integer(3), 1, 3);
    last->snapshot->packs.push_back({.pkg_id = packs.text(2),
                                     .status = static_cast<core::PackUsage::Status>(status),
                                     .all = packs.integer(4),
                                     .used = packs.integer(5),
                                     .starts = time_in(packs, 6),
                                     .ends = time_in(packs, 7)});
  }
  return found;
}

SpendingRead read_spending(Connection& connection, std::int64_t after, core::WallTime since) {
  SpendingRead read;
  auto const integer = [&](std::string_view name, std::initializer_list<Parameter> parameters) {
    Statement statement(connection, alarm_sql(name));
    Rows rows = statement.query(parameters);
    return rows.next() ? rows.integer(0) : 0;
  };
  std::int64_t const before = integer("last_entry_before", {core::unix_ms(since)});
  read.last_entry = integer("newest_entry", {});
  Statement list(connection, alarm_sql("spending"));
  Rows rows = list.query({std::max(after, before), read.last_entry});
  while (rows.next()) {
    read.hours.push_back({.owner = {.appid = rows.text(0), .kind = kind_in(rows, 1)},
                          .hour = rows.integer(2),
                          .units = rows.integer(3),
                          .beyond_packs = rows.integer(4)});
  }
  return read;
}

std::vector<core::TopUser> read_top_users(Connection& connection, core::WallTime since) {
  Statement list(connection, alarm_sql("top_users"));
  std::vector<core::TopUser> users;
  Rows rows = list.query({core::unix_ms(since), static_cast<std::int64_t>(core::limits::top_rows_max)});
  while (rows.next())
    users.push_back({.appid = rows.text(0), .user = rows.text(1), .codes = rows.integer(2)});
  return users;
}

}  // namespace onetap::storage
