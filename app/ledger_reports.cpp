#include "app/ledger_reports.hpp"

#include <array>
#include <chrono>
#include <system_error>
#include <utility>
#include <vector>

#include "app/commands/report_output.hpp"
#include "app/worker.hpp"
#include "core/limits.hpp"
#include "storage/reports.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;
namespace limits = core::limits;
using storage::Reports;
using storage::Table;
using Answer = core::Result<std::string, admin::Refusal>;
using std::chrono::hours;

constexpr std::int64_t hour_ms = core::milliseconds(hours(1)).count();
constexpr std::int64_t day_ms = 24 * hour_ms;

/// A JSON object, made member by member.
class Members {
 public:
  void text(std::string_view name, std::string_view value) {
    std::string quoted = "\"";
    quoted.append(value).append("\"");  // days, times and file names of ours: nothing to escape
    add(name, quoted);
  }
  void number(std::string_view name, std::int64_t value) { add(name, std::to_string(value)); }
  void rows(std::string_view name, Table const& table) { add(name, render(table, Format::json, {})); }

  [[nodiscard]] std::string take() { return "{" + std::move(members_) + "}"; }

 private:
  void add(std::string_view name, std::string_view json) {
    if (!members_.empty()) members_ += ",";
    members_.append("\"").append(name).append("\":").append(json);
  }

  std::string members_;
};

core::WallTime beginning_of_day(core::WallTime now) {
  return core::WallTime(std::chrono::floor<std::chrono::days>(now + hours(8))) - hours(8);
}

// Rows come in the order of their times but for clocks that were put right: so a little earlier.
std::int64_t first_row(Reports& reports, std::string_view statement, core::WallTime since) {
  constexpr auto clocks_differ = std::chrono::minutes(10);
  storage::Value const id = reports.named(statement, {core::unix_ms(since - clocks_differ)}).at(0, "id");
  auto const* const found = std::get_if<std::int64_t>(&id);
  return found == nullptr ? 1 : *found;
}

std::int64_t bytes_of(std::filesystem::path const& file) {
  std::error_code missing;
  auto const bytes = std::filesystem::file_size(file, missing);
  return missing ? 0 : static_cast<std::int64_t>(bytes);
}

std::string summary(Reports& reports, std::filesystem::path const& database, core::WallTime now) {
  core::WallTime const midnight = beginning_of_day(now);
  std::string const day = china_day(now);
  std::int64_t const since = core::unix_ms(midnight);
  std::int64_t const consumption = first_row(reports, "first_consumption", midnight);
  std::int64_t const entry = first_row(reports, "first_entry", midnight);
  Members members;
  members.text("as_of", iso_utc(now));
  members.text("day", day);
  members.rows("today", reports.named("today", {consumption, entry, since}));
  members.rows("funnel", reports.named("funnel", {consumption, day, since}));
  members.rows("doubts", reports.named("doubts", {limits::report_rows_max}));
  members.rows("doubts_by_app", reports.named("doubts_by_app"));
  members.rows("wechat_now", reports.named("wechat_now"));
  members.number("database_bytes", bytes_of(database));
  members.number("wal_bytes", bytes_of(database.string() + "-wal"));
  return members.take();
}

std::string history(Reports& reports, core::ReportQuestion const& question, core::WallTime now) {
  std::string const kind(core::to_string(question.kind.value_or(core::Kind::quick)));
  core::WallTime const first_hour = std::chrono::floor<hours>(now) - limits::report_hours + hours(1);
  core::WallTime const first_day = beginning_of_day(now) - limits::report_days + hours(24);
  std::int64_t const hour = core::unix_ms(first_hour);
  std::int64_t const day = core::unix_ms(first_day);
  std::int64_t const of_hours = first_row(reports, "first_consumption", first_hour);
  std::int64_t const of_days = first_row(reports, "first_consumption", first_day);
  std::int64_t const entry = first_row(reports, "first_entry", first_day);
  std::int64_t const snapshot = first_row(reports, "first_snapshot", first_day);
  constexpr std::int64_t steps_of_wechat = 6 * hour_ms;
  Members members;
  members.text("as_of", iso_utc(now));
  members.number("now", core::unix_ms(now));
  members.number("first_hour", hour);
  members.number("first_day", day);
  std::string const& app = question.appid;
  members.rows("hours", reports.named("outcomes", {of_hours, hour, hour_ms, app, kind}));
  members.rows("days", reports.named("outcomes", {of_days, day, day_ms, app, kind}));
  members.rows("latency", reports.named("latency", {of_hours, hour, hour_ms, app, kind}));
  members.rows("latency_today",
               reports.named("latency", {of_hours, core::unix_ms(beginning_of_day(now)), day_ms, app, kind}));
  members.rows("units_left", reports.named("units_left", {entry, day, hour_ms, app, kind}));
  members.rows("wechat_left", reports.named("wechat_left", {snapshot, day, steps_of_wechat, app, kind}));
  return members.take();
}

std::string consumptions(Reports& reports, core::ReportQuestion const& question, core::WallTime now) {
  std::string const kind(question.kind ? core::to_string(*question.kind) : std::string_view());
  Members members;
  members.text("as_of", iso_utc(now));
  members.rows("consumptions",
               reports.named("newest_consumptions", {question.rows_max, question.appid, kind}));
  return members.take();
}

std::string packs(Reports& reports, core::WallTime now) {
  Members members;
  members.text("as_of", iso_utc(now));
  members.rows("packs", reports.named("packs", {"", ""}));
  return members.take();
}

std::string read(Reports& reports, std::filesystem::path const& database,
                 core::ReportQuestion const& question, core::WallTime now) {
  using About = core::ReportQuestion::About;
  reports.hold_still();
  switch (question.about) {
    case About::summary: return summary(reports, database, now);
    case About::history: return history(reports, question, now);
    case About::consumptions: return consumptions(reports, question, now);
    case About::packs: break;
  }
  return packs(reports, now);
}

Answer refused(std::string sentence) {
  return {boost::system::in_place_error,
          admin::Refusal{.kind = admin::Refusal::Kind::unavailable, .sentence = std::move(sentence)}};
}

}  // namespace

core::Task<Answer> LedgerReports::answer(core::ReportQuestion question) {
  core::SteadyTime const deadline = clock_.steady() + limits::report_time;
  auto look = [this, question, deadline, now = clock_.wall()]() -> Answer {
    auto const is_over = [this, deadline] { return clock_.steady() >= deadline; };
    if (is_over()) return refused("others were being answered for too long");
    auto reports = Reports::open(database_);
    if (!reports) return refused(reports.error());
    try {
      reports->give_up_when(is_over);
      return {boost::system::in_place_value, read(*reports, database_, question, now)};
    } catch (storage::SqliteError const& error) {
      return refused(is_over() ? "reading the ledger took too long" : std::string(error.what()));
    }
  };
  Answer answer = co_await run_on(worker_, std::move(look));
  co_return answer;
}

}  // namespace onetap::app
