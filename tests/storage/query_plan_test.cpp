#include <doctest/doctest.h>
#include <sqlite3.h>

#include <string>
#include <vector>

#include "storage/embedded_sql.hpp"
#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

// Parameters are unbound while a plan is made.
std::vector<std::string> plan_of(storage::Connection& connection, std::string_view sql) {
  storage::Statement explain(connection, "EXPLAIN QUERY PLAN " + std::string(sql));
  std::vector<std::string> steps;
  storage::Rows rows = explain.query({});
  while (rows.next()) steps.push_back(rows.text(3));
  return steps;
}

bool looks_at_the_history(std::string const& step) {
  // This index holds what may be sent again, for five minutes.
  if (step.ends_with("USING INDEX consumption_retryable")) return false;
  for (std::string const table : {"c", "consumption", "t", "attempt", "e", "entry"}) {
    if (step == "SCAN " + table || step.starts_with("SCAN " + table + " ")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("no statement of the running server looks at the whole history") {
  RawLedger raw;
  auto const statements = storage::named_statements(storage::sql_file("hot.sql"));
  REQUIRE(statements.size() > 15);
  for (auto const& [name, sql] : statements) {
    // An insert's plan also lists what it would do if foreign keys were broken before it; the next test
    // looks at what is really done.
    if (name.find("insert") != std::string_view::npos) continue;
    for (std::string const& step : plan_of(raw.connection, sql)) {
      CAPTURE(name);
      CAPTURE(step);
      CHECK_FALSE(looks_at_the_history(step));
    }
  }
}

TEST_CASE("no exchange steps through a table, as SQLite itself counts") {
  TempFolder folder;
  StandingClock clock;
  static_cast<void>(opened(options_for(folder / "onetap.db", clock)));
  storage::Connection connection(folder / "onetap.db", storage::Access::read_write);
  sqlite3* const handle = connection.handle();
  storage::SqliteLedger ledger(std::move(connection),
                               {.replay_window = std::chrono::minutes(10), .prices = {}});
  ledger.start(clock.now());
  auto const scan_steps = [&] {
    int steps = 0;
    for (sqlite3_stmt* statement = sqlite3_next_stmt(handle, nullptr); statement != nullptr;
         statement = sqlite3_next_stmt(handle, statement)) {
      steps += sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    }
    return steps;
  };
  auto const exchange = [&](int code, State state, Cause cause) {
    core::Intent intent;
    intent.code_key = {digest_of(code)};
    intent.caller = caller(1);
    intent.appid = "wx1";
    intent.request_id = "r";
    intent.at = clock.wall();
    storage::Command const find{.action = storage::FindCommand{intent}, .steady = clock.steady()};
    storage::Command const begin{.action = storage::BeginCommand{intent}, .steady = clock.steady()};
    std::vector<storage::Command> const first{find, begin};
    auto const began = std::get<ledger::BeginResult>(ledger.apply(first).back());
    core::Settlement settlement;
    settlement.attempt = std::get<ledger::Started>(began).attempt;
    settlement.state = state;
    settlement.cause = cause;
    if (state == State::ok) settlement.sealed_number = Speaker::sealed();
    settlement.at = clock.wall();
    std::vector<storage::Command> const second{{.action = settlement, .steady = clock.steady()}};
    CHECK(std::holds_alternative<storage::Settled>(ledger.apply(second).front()));
  };
  exchange(0, State::ok, Cause::none);  // makes the app
  static_cast<void>(scan_steps());
  for (int code = 1; code <= 50; ++code) {
    exchange(code, State::ok, Cause::none);
    exchange(1000 + code, State::retryable, Cause::rate_limited);
    exchange(2000 + code, State::in_doubt, Cause::timeout);
  }
  CHECK(scan_steps() == 0);
  clock.pass(std::chrono::hours(2));
  CHECK(ledger.maintain(clock.now()).abandoned == 50);
  CHECK(scan_steps() == 0);
}

TEST_CASE("the statement of every exchange finds its row by key, without a scan or a sort") {
  RawLedger raw;
  for (std::string const name :
       {"find_live_code", "begin_again", "begin_take_up", "read_attempt", "resend_consumption",
        "settle_consumption", "settle_live_code", "doubt_consumption", "erase_number", "purge_live_code"}) {
    for (std::string const& step : plan_of(raw.connection, storage::hot_sql(name))) {
      CAPTURE(name);
      CAPTURE(step);
      CHECK(step.find("SCAN") == std::string::npos);
      CHECK(step.find("TEMP B-TREE") == std::string::npos);
    }
  }
}

TEST_CASE("usage and events look at the history by row id only, and at each other by key") {
  RawLedger raw;
  auto const statements = storage::named_statements(storage::sql_file("observations.sql"));
  REQUIRE(statements.size() == 20);
  for (auto const& [name, sql] : statements) {
    if (name.find("insert") != std::string_view::npos) continue;  // as above; observations_test runs them
    for (std::string const& step : plan_of(raw.connection, sql)) {
      CAPTURE(name);
      CAPTURE(step);
      CHECK_FALSE(looks_at_the_history(step));
      CHECK(step.find("SCAN l") == std::string::npos);
    }
  }
}

TEST_CASE("a refused code's trace is found by key, without a scan or a sort") {
  RawLedger raw;
  auto const statements = storage::named_statements(storage::sql_file("observations.sql"));
  for (std::string const& step : plan_of(raw.connection, statements.at("trace_code"))) {
    CAPTURE(step);
    CHECK(step.starts_with("SEARCH"));
  }
}

TEST_CASE("reconciliation looks at the codes since WeChat's answer, not at those before it") {
  RawLedger raw;
  for (std::string const& step : plan_of(raw.connection, "SELECT * FROM v_reconciliation")) {
    CAPTURE(step);
    CHECK_FALSE(looks_at_the_history(step));
    CHECK(step.find("SEARCH c USING AUTOMATIC") == std::string::npos);
    CHECK(step.find("SCAN n") == std::string::npos);
  }
}

TEST_CASE("the operators' page, which asks again and again, enters the history by row id") {
  RawLedger raw;
  auto const statements = storage::named_statements(storage::sql_file("dashboard.sql"));
  REQUIRE(statements.size() == 13);
  for (auto const& [name, sql] : statements) {
    for (std::string const& step : plan_of(raw.connection, sql)) {
      CAPTURE(name);
      CAPTURE(step);
      CHECK_FALSE(looks_at_the_history(step));
    }
  }
}

TEST_CASE("this test would notice a scan") {
  RawLedger raw;
  std::vector<std::string> const steps =
      plan_of(raw.connection, "SELECT c.id FROM consumption AS c WHERE c.request_id = 'x'");
  REQUIRE(steps.size() == 1);
  CHECK(looks_at_the_history(steps.front()));
}

TEST_CASE("those in doubt are found without the history") {
  RawLedger raw;
  for (std::string const& step : plan_of(raw.connection, "SELECT id FROM v_in_doubt")) {
    CAPTURE(step);
    bool const by_index = step.find("consumption_in_doubt") != std::string::npos;
    CHECK((by_index || !looks_at_the_history(step)));
  }
}

}  // namespace onetap::tests
