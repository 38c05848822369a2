#include <string>

#include "storage/reports.hpp"
#include "storage/sqlite.hpp"
#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using storage::Table;
using storage::to_text;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;
constexpr std::int64_t midnight = 1'795'449'600'000;  // 2026-11-24 in China

/// Two days of codes in a ledger that is read as an operator's page reads it.
class Days {
 public:
  Days() {
    auto file = opened(options_for(folder_ / "onetap.db", clock_));
    storage::Connection& connection = connection_.emplace(folder_ / "onetap.db", storage::Access::read_write);
    connection.run(
        "INSERT INTO app (id, appid) VALUES (7, 'wx7');"
        "INSERT INTO pack (id, app, kind, source, wx_pkg_id, units, price_micro_yuan, created_at)"
        " VALUES (9, 7, 'quick', 'paid', 'P9', 100, 3000000, 1);"
        "INSERT INTO entry (kind, pack, from_account, to_account, units, micro_yuan, at)"
        " VALUES ('purchase', 9, 'source', 'available', 100, 3000000, " +
        std::to_string(midnight - day_ms) + ")");
  }

  void code(std::int64_t at, std::string const& state, std::int64_t took_ms = 100) {
    storage::Connection& connection = *connection_;
    std::string const begun = std::to_string(at);
    connection.run(
        "INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, "
        "request_id,"
        " code_key, client_env, created_at) VALUES (7, 'quick', 'exchange', 'sending', '', 1, 1, " +
        begun + ", 'r', randomblob(32), 'release', " + begun + ")");
    std::string const id = std::to_string(connection.last_insert_rowid());
    std::string const ended = std::to_string(at + took_ms);
    bool const is_booked = state != "rejected";
    connection.run("UPDATE consumption SET state = '" + state + "', finished_at = " + ended +
                   (state == "in_doubt" ? ", cause = 'timeout'" : "") +
                   (is_booked ? ", pack = 9, micro_yuan = 30000" : "") + " WHERE id = " + id);
    if (!is_booked) return;
    std::string const account =
        state == "ok" ? "'use', 9, 'available', 'used'" : "'doubt', 9, 'available', 'doubt'";
    connection.run(
        "INSERT INTO entry (kind, pack, from_account, to_account, units, micro_yuan, consumption, at) VALUES "
        "(" +
        account + ", 1, 30000, " + id + ", " + ended + ")");
  }

  /// What the ledger keeps beside its entries.
  void balance() {
    connection_->run(
        "INSERT INTO pack_balance SELECT pack, account, sum(units), sum(micro_yuan) FROM ("
        " SELECT pack, to_account AS account, units, micro_yuan FROM entry UNION ALL"
        " SELECT pack, from_account, -units, -micro_yuan FROM entry) GROUP BY pack, account");
  }

  storage::Reports reports() {
    auto opened_reports = storage::Reports::open(folder_ / "onetap.db");
    if (!opened_reports) FAIL(opened_reports.error());
    return std::move(*opened_reports);
  }

 private:
  TempFolder folder_;
  StandingClock clock_;
  std::optional<storage::Connection> connection_;
};

std::int64_t id_of(Table const& table) { return std::get<std::int64_t>(table.at(0, "id")); }

}  // namespace

TEST_CASE("the first code of a time is found by halves, wherever it is") {
  Days days;
  CHECK(id_of(days.reports().named("first_consumption", {midnight})) == 1);
  for (int i = 0; i < 40; ++i) days.code(midnight + i * hour_ms, "ok");
  storage::Reports reports = days.reports();
  for (int i = 0; i < 40; ++i) {
    CAPTURE(i);
    CHECK(id_of(reports.named("first_consumption", {midnight + i * hour_ms})) == i + 1);
    CHECK(id_of(reports.named("first_consumption", {midnight + i * hour_ms + 1})) == i + 2);
  }
  CHECK(id_of(reports.named("first_consumption", {midnight - day_ms})) == 1);
}

TEST_CASE("a day's counts and money are those of v_daily and v_funnel") {
  Days days;
  days.code(midnight - 2 * hour_ms, "ok");
  for (int i = 0; i < 5; ++i) days.code(midnight + i * hour_ms, "ok");
  days.code(midnight + 5 * hour_ms, "rejected");
  days.code(midnight + 6 * hour_ms, "in_doubt");
  days.balance();
  storage::Reports reports = days.reports();
  std::string const columns =
      "app_id, kind, codes, ok, rejected, retryable, in_doubt, lost, free, wechat_calls, amount_yuan,"
      " amount_estimated_yuan";
  Table const wanted = reports.query("SELECT " + columns + " FROM v_daily WHERE day = '2026-11-24'", {});
  Table const today = reports.named("today", {2, 1, midnight});
  CHECK(today.columns == wanted.columns);
  CHECK(today.rows == wanted.rows);
  CHECK(to_text(today.at(0, "ok")) == "5");
  CHECK(to_text(today.at(0, "amount_yuan")) == "0.15");

  Table const funnel = reports.named("funnel", {2, "2026-11-24", midnight});
  Table const funnel_wanted = reports.query(
      "SELECT app_id, kind, taps, issued, denied, no_quota, privacy_denied, consumed, failed,"
      " fallback, never_presented FROM v_funnel WHERE day = '2026-11-24'",
      {});
  CHECK(funnel.columns == funnel_wanted.columns);
  CHECK(funnel.rows == funnel_wanted.rows);
  CHECK(to_text(funnel.at(0, "failed")) == "2");
}

TEST_CASE("percentiles are those of the nearest rank, and of what WeChat answered") {
  Days days;
  for (int i = 1; i <= 200; ++i) days.code(midnight + i, "ok", i);
  days.code(midnight + 500, "in_doubt", 5000);
  Table const latency = days.reports().named("latency", {1, midnight, hour_ms, "wx7", "quick"});
  REQUIRE(latency.rows.size() == 1);
  CHECK(to_text(latency.at(0, "step")) == std::to_string(midnight));
  CHECK(to_text(latency.at(0, "codes")) == "200");
  CHECK(to_text(latency.at(0, "p50_ms")) == "100");
  CHECK(to_text(latency.at(0, "p90_ms")) == "180");
  CHECK(to_text(latency.at(0, "p99_ms")) == "198");
  CHECK(to_text(latency.at(0, "max_ms")) == "200");
}

TEST_CASE("outcomes go by China's days and by their causes") {
  Days days;
  days.code(midnight - 1, "ok");
  days.code(midnight, "ok");
  days.code(midnight + 1, "in_doubt");
  Table const outcomes = days.reports().named("outcomes", {1, midnight - day_ms, day_ms, "wx7", "quick"});
  REQUIRE(outcomes.rows.size() == 3);
  CHECK(to_text(outcomes.at(0, "step")) == std::to_string(midnight - day_ms));
  CHECK(to_text(outcomes.at(1, "step")) == std::to_string(midnight));
  CHECK(to_text(outcomes.at(1, "state")) == "in_doubt");
  CHECK(to_text(outcomes.at(1, "cause")) == "timeout");
  CHECK(to_text(outcomes.at(2, "state")) == "ok");
  CHECK(days.reports().named("outcomes", {1, midnight - day_ms, day_ms, "wx8", "quick"}).rows.empty());
}

TEST_CASE("what was left is told from what is left now, step by step backward") {
  Days days;
  for (int i = 0; i < 3; ++i) days.code(midnight + i * hour_ms, "ok");
  days.code(midnight + 2 * hour_ms, "in_doubt");
  days.balance();
  Table const left = days.reports().named("units_left", {1, midnight - 2 * day_ms, hour_ms, "wx7", "quick"});
  REQUIRE(left.rows.size() == 4);
  CHECK(to_text(left.at(0, "units_left")) == "100");
  CHECK(to_text(left.at(0, "bought")) == "100");
  CHECK(to_text(left.at(1, "units_left")) == "99");
  CHECK(to_text(left.at(2, "units_left")) == "98");
  CHECK(to_text(left.at(3, "units_left")) == "96");
}

TEST_CASE("a read that takes too long ends") {
  Days days;
  storage::Reports reports = days.reports();
  int looks = 0;
  reports.give_up_when([&looks] { return ++looks > 3; });
  CHECK_THROWS_AS(static_cast<void>(reports.query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                                                  " FROM n) SELECT count(*) FROM n",
                                                  {})),
                  storage::SqliteError);
  CHECK(looks == 4);
}

TEST_CASE("reads that hold still see nothing of what is written meanwhile") {
  Days days;
  days.code(midnight, "ok");
  storage::Reports reports = days.reports();
  reports.hold_still();
  CHECK(reports.query("SELECT id FROM consumption", {}).rows.size() == 1);
  days.code(midnight + 1, "ok");
  CHECK(reports.query("SELECT id FROM consumption", {}).rows.size() == 1);
  CHECK(days.reports().query("SELECT id FROM consumption", {}).rows.size() == 2);
}

}  // namespace onetap::tests
