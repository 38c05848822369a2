#include <sqlite3.h>

#include <fstream>
#include <random>

#include "storage/migrate.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;

/// The synchronous ledger, driven command by command, with its database at hand.
class DirectLedger {
 public:
  DirectLedger() : file_(opened(options_for(folder_ / "onetap.db", clock))) {}

  [[nodiscard]] static core::Intent intent(int code, std::optional<core::CallerKey> who, core::WallTime at) {
    core::Intent intent;
    intent.code_key = {digest_of(code)};
    intent.caller = who;
    intent.appid = "wx1";
    intent.request_id = "r";
    intent.at = at;
    return intent;
  }

  // NOLINTNEXTLINE(readability-make-member-function-const): it changes the ledger
  storage::CommandResult apply(decltype(storage::Command::action) action) {
    storage::Command const command{.action = std::move(action), .steady = clock.steady()};
    return file_.ledger->apply(std::span(&command, 1)).front();
  }

  ledger::BeginResult begin(int code) {
    storage::CommandResult const result = apply(storage::BeginCommand{intent(code, caller(1), clock.wall())});
    return std::get<ledger::BeginResult>(result);
  }

  core::AttemptId started(int code) { return std::get<ledger::Started>(begin(code)).attempt; }

  [[nodiscard]] core::Settlement settlement(core::AttemptId attempt, State state, Cause cause) const {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = state;
    settlement.cause = cause;
    if (state == State::ok) settlement.sealed_number = Speaker::sealed();
    settlement.at = clock.wall();
    return settlement;
  }

  [[nodiscard]] core::Decryption decryption(int blob) const {
    core::Decryption decryption;
    decryption.blob_key = {digest_of(blob)};
    decryption.user = caller(1);
    decryption.appid = "wx1";
    decryption.request_id = "r";
    decryption.client_env = core::ClientEnv::devtools;
    decryption.sealed_number = Speaker::sealed();
    decryption.phone_mask = "138****8000";
    decryption.phone_key = digest_of(77);
    decryption.at = clock.wall();
    return decryption;
  }

  [[nodiscard]] core::Rescue rescue(int code, int blob) const {
    core::Rescue rescue;
    rescue.code_key = {digest_of(code)};
    rescue.caller = caller(1);
    rescue.blob_key = {digest_of(blob)};
    rescue.sealed_number = Speaker::sealed();
    rescue.sealed_blob_number = Speaker::sealed_blob();
    rescue.phone_mask = "138****8000";
    rescue.phone_key = digest_of(77);
    rescue.at = clock.wall();
    return rescue;
  }

  void settle(core::AttemptId attempt, State state, Cause cause) {
    storage::CommandResult const result = apply(settlement(attempt, state, cause));
    REQUIRE(std::holds_alternative<storage::Settled>(result));
  }

  bool is_known(int code) {
    storage::CommandResult const result = apply(storage::FindCommand{intent(code, caller(1), clock.wall())});
    return !is_fresh(std::get<ledger::FindResult>(result));
  }

  storage::Table query(std::string_view sql) {
    auto reports = storage::Reports::open(folder_ / "onetap.db");
    REQUIRE(reports.has_value());
    return reports->query(sql, {});
  }

  std::string value(std::string_view sql) { return storage::to_text(query(sql).rows.at(0).at(0)); }

  void check_verified() {
    storage::Table const violations = query("SELECT rule, id, detail FROM v_verify");
    for (auto const& row : violations.rows)
      FAIL_CHECK((storage::to_text(row.at(0)) + storage::to_text(row.at(2))));
  }

  // NOLINTNEXTLINE(readability-make-member-function-const): what it lends can be changed
  storage::SqliteLedger& ledger() { return *file_.ledger; }

  /// Runs SQL beside the ledger and opens it anew, so that it sees what was written.
  void write(std::string const& sql) {
    storage::Connection(folder_ / "onetap.db", storage::Access::read_write).run(sql);
    reopen();
  }
  void reopen() {
    file_.ledger->end(clock.wall());
    {
      storage::LedgerFile const gone = std::move(file_);
    }
    file_ = opened(options_for(folder_ / "onetap.db", clock));
  }

  StandingClock clock;

 private:
  TempFolder folder_;
  storage::LedgerFile file_;
};

void buy(DirectLedger& direct, std::string const& pack, int units, int micro_yuan) {
  direct.write(
      "INSERT INTO pack (app, kind, source, units, price_micro_yuan, starts_at, ends_at, created_at) VALUES "
      "(" +
      pack +
      ", 0);"
      "INSERT INTO entry (kind, pack, from_account, to_account, units, micro_yuan, at)"
      " SELECT 'purchase', max(p.id), 'source', 'available', " +
      std::to_string(units) + ", " + std::to_string(micro_yuan) +
      ", 0 FROM pack AS p;"
      "INSERT INTO pack_balance (pack, account, units, micro_yuan)"
      " SELECT max(p.id), 'source', -" +
      std::to_string(units) + ", -" + std::to_string(micro_yuan) +
      " FROM pack AS p;"
      "INSERT INTO pack_balance (pack, account, units, micro_yuan)"
      " SELECT max(p.id), 'available', " +
      std::to_string(units) + ", " + std::to_string(micro_yuan) + " FROM pack AS p");
}

}  // namespace

TEST_CASE("a refused command leaves its neighbours in the batch alone") {
  DirectLedger direct;
  core::AttemptId const first = direct.started(1);
  core::AttemptId const second = direct.started(2);
  core::Settlement impossible = direct.settlement(first, State::retryable, Cause::crash);
  std::vector<storage::Command> const batch{
      {.action = std::move(impossible), .steady = direct.clock.steady()},
      {.action = direct.settlement(second, State::ok, Cause::none), .steady = direct.clock.steady()}};
  std::vector<storage::CommandResult> const results = direct.ledger().apply(batch);
  CHECK(std::holds_alternative<storage::Refused>(results.at(0)));
  CHECK(std::holds_alternative<storage::Settled>(results.at(1)));
  CHECK(direct.value("SELECT group_concat(state) FROM v_consumptions") == "sending,ok");
  direct.check_verified();
}

TEST_CASE("the same code twice in one batch begins once") {
  DirectLedger direct;
  storage::Command const begin{
      .action = storage::BeginCommand{DirectLedger::intent(1, caller(1), direct.clock.wall())},
      .steady = direct.clock.steady()};
  std::vector<storage::Command> const batch{begin, begin};
  std::vector<storage::CommandResult> const results = direct.ledger().apply(batch);
  CHECK(is_started(std::get<ledger::BeginResult>(results.at(0)), 1));
  CHECK(is_not_yours(std::get<ledger::BeginResult>(results.at(1)), true));
}

TEST_CASE("an exchange is few rows: an attempt gets one only when it was refused or re-sent") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::ok, Cause::none);
  CHECK(direct.value("SELECT count(*) FROM attempt") == "0");
  direct.settle(direct.started(2), State::retryable, Cause::rate_limited);
  CHECK(direct.value("SELECT group_concat(cause) FROM attempt") == "rate_limited");
  core::Resend resend;
  resend.refused = direct.started(3);
  resend.errcode = 42001;
  resend.rid = "rid";
  resend.at = direct.clock.wall();
  static_cast<void>(direct.apply(resend));
  CHECK(direct.value("SELECT cause || number || errcode || rid FROM attempt WHERE id = 2") ==
        "token_refused142001rid");
  CHECK(direct.value("SELECT count(*) FROM entry") == "1");
  direct.check_verified();
}

TEST_CASE("a live code goes when wall time and steady time both say an hour") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::rejected, Cause::none);
  SUBCASE("wall time alone does not do") {
    direct.clock.jump_wall(24h);
    CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 0);
    CHECK(direct.is_known(1));
  }
  SUBCASE("steady time alone does not do") {
    direct.clock.pass(2h);
    direct.clock.jump_wall(-2h);
    CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 0);
    CHECK(direct.is_known(1));
  }
  SUBCASE("what was there at a start stays an hour from the start") {
    direct.clock.pass(59min);
    direct.reopen();
    direct.clock.pass(59min);
    CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 0);
    direct.clock.pass(1min);
    CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 1);
  }
  SUBCASE("both together do, and the consumption stays") {
    direct.clock.pass(1h);
    CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 1);
    CHECK_FALSE(direct.is_known(1));
    CHECK(direct.value("SELECT count(*) FROM consumption") == "1");
  }
  direct.check_verified();
}

TEST_CASE("a code in doubt stays, and one under way, until they are resolved") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::in_doubt, Cause::timeout);
  core::AttemptId const open = direct.started(2);
  direct.clock.pass(2h);
  CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 0);
  CHECK(direct.is_known(1));
  CHECK(direct.is_known(2));
  direct.settle(open, State::rejected, Cause::none);
  direct.clock.pass(2h);
  CHECK(direct.ledger().maintain(direct.clock.now()).codes_purged == 1);
  CHECK(direct.is_known(1));
  direct.check_verified();
}

TEST_CASE("a stored answer lasts its window of steady time, whatever the wall clock says") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::ok, Cause::none);
  auto const is_stored = [&] {
    return std::holds_alternative<ledger::Stored>(direct.begin(1)) &&
           direct.value("SELECT count(*) FROM live_code WHERE sealed_number IS NOT NULL") == "1";
  };
  SUBCASE("to its last millisecond") {
    direct.clock.pass(10min - 1ms);
    CHECK(direct.ledger().maintain(direct.clock.now()).numbers_erased == 0);
    CHECK(is_stored());
  }
  SUBCASE("also when the wall clock is set ahead") {
    direct.clock.jump_wall(24h);
    CHECK(direct.ledger().maintain(direct.clock.now()).numbers_erased == 0);
    CHECK(is_stored());
  }
  SUBCASE("no longer, though nothing was erased yet") {
    direct.clock.pass(10min);
    CHECK_FALSE(is_stored());
  }
  SUBCASE("no longer, though the wall clock was set back") {
    direct.clock.pass(10min);
    direct.clock.jump_wall(-1h);
    CHECK(direct.ledger().maintain(direct.clock.now()).numbers_erased == 1);
    CHECK_FALSE(is_stored());
  }
  SUBCASE("and over a restart what the wall clock leaves of it") {
    direct.clock.pass(4min);
    direct.reopen();
    direct.clock.pass(6min - 1ms);
    CHECK(is_stored());
    direct.clock.pass(1ms);
    CHECK_FALSE(is_stored());
  }
}

TEST_CASE("a code that may be sent again has five minutes of steady time") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::retryable, Cause::not_sent);
  auto const may_be_sent = [&] { return std::holds_alternative<ledger::Started>(direct.begin(1)); };
  SUBCASE("the wall clock set ahead takes nothing from them") {
    direct.clock.jump_wall(24h);
    CHECK(direct.ledger().maintain(direct.clock.now()).abandoned == 0);
    CHECK(may_be_sent());
  }
  SUBCASE("set back it adds nothing") {
    direct.clock.pass(5min);
    direct.clock.jump_wall(-1h);
    CHECK_FALSE(may_be_sent());
  }
  SUBCASE("they run from the first time it came") {
    direct.clock.pass(4min);
    direct.settle(direct.started(1), State::retryable, Cause::not_sent);
    direct.clock.pass(1min);
    CHECK(direct.ledger().maintain(direct.clock.now()).abandoned == 1);
    CHECK_FALSE(may_be_sent());
  }
  SUBCASE("and over a restart what the wall clock leaves of them") {
    direct.clock.pass(3min);
    direct.reopen();
    direct.clock.pass(2min - 1ms);
    CHECK(direct.ledger().maintain(direct.clock.now()).abandoned == 0);
    direct.clock.pass(1ms);
    CHECK(direct.ledger().maintain(direct.clock.now()).abandoned == 1);
  }
  direct.check_verified();
}

TEST_CASE("a decryption is one consumption without an attempt, and one use of the pack that burns next") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::rejected, Cause::none);
  buy(direct, "1, 'quick', 'paid', 3, 100, 0, NULL", 3, 100);
  direct.apply(direct.decryption(100));
  CHECK(direct.value("SELECT path || state || attempts || phone_mask || client_env FROM v_consumptions"
                     " WHERE id = 2") == "legacyok0138****8000devtools");
  CHECK(direct.value("SELECT hex(c.user_key) = hex(l.caller_key) FROM consumption AS c"
                     " JOIN live_code AS l ON l.consumption = c.id WHERE c.id = 2") == "1");
  CHECK(direct.value("SELECT kind || pack || from_account || to_account || micro_yuan FROM entry"
                     " WHERE consumption = 2") == "use3availableused33");
  direct.check_verified();
}

TEST_CASE("a rescue moves the very unit that was in doubt, with its money") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::rejected, Cause::none);
  buy(direct, "1, 'quick', 'paid', 3, 100, 0, NULL", 3, 100);
  direct.settle(direct.started(2), State::in_doubt, Cause::timeout);
  direct.settle(direct.started(3), State::ok, Cause::none);
  direct.apply(direct.rescue(2, 100));
  CHECK(direct.value("SELECT path || state || attempts || phone_mask FROM v_consumptions WHERE id = 2") ==
        "rescueok1138****8000");
  CHECK(
      direct.value("SELECT group_concat(kind || pack || from_account || to_account || micro_yuan) FROM entry"
                   " WHERE consumption = 2") == "doubt3availabledoubt33,resolve_used3doubtused33");
  CHECK(direct.value("SELECT used || '/' || doubt || '/' || available FROM v_packs WHERE pack_id = 3") ==
        "2/0/1");
  direct.check_verified();
}

TEST_CASE("a rescued unit of the overdraft moves to the pack that was seen meanwhile") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::in_doubt, Cause::timeout);
  buy(direct, "1, 'quick', 'paid', 3, 100, 0, NULL", 3, 100);
  direct.apply(direct.rescue(1, 100));
  CHECK(direct.value(
            "SELECT used || '/' || doubt FROM v_packs WHERE source = 'overdraft' AND kind = 'quick'") ==
        "0/0");
  CHECK(direct.value("SELECT used || '/' || available FROM v_packs WHERE pack_id = 3") == "1/2");
  // What the ledger knows of its packs in memory has not gone stale.
  direct.settle(direct.started(2), State::ok, Cause::none);
  CHECK(direct.value("SELECT used || '/' || available FROM v_packs WHERE pack_id = 3") == "2/1");
  direct.check_verified();
}

TEST_CASE("a rescue and its neighbours in a batch are written together") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::in_doubt, Cause::timeout);
  core::AttemptId const second = direct.started(2);
  core::AttemptId const third = direct.started(3);
  std::vector<storage::Command> const batch{
      {.action = direct.settlement(second, State::ok, Cause::none), .steady = direct.clock.steady()},
      {.action = direct.rescue(1, 100), .steady = direct.clock.steady()},
      {.action = direct.rescue(1, 101), .steady = direct.clock.steady()},
      {.action = direct.decryption(100), .steady = direct.clock.steady()},
      {.action = direct.decryption(102), .steady = direct.clock.steady()},
      {.action = direct.settlement(third, State::in_doubt, Cause::timeout), .steady = direct.clock.steady()}};
  std::vector<storage::CommandResult> const results = direct.ledger().apply(batch);
  CHECK(std::holds_alternative<storage::Settled>(results.at(1)));
  CHECK(std::holds_alternative<storage::NotDone>(results.at(2)));
  CHECK(stored(std::get<ledger::RecordResult>(results.at(3))).consumption == 1);
  CHECK(is_recorded(std::get<ledger::RecordResult>(results.at(4))));
  CHECK(direct.value("SELECT group_concat(state) FROM v_consumptions") == "ok,ok,in_doubt,ok");
  direct.check_verified();
}

TEST_CASE("a rescued number is erased under the code and under the blob") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::in_doubt, Cause::timeout);
  direct.clock.pass(2h);
  direct.apply(direct.rescue(1, 100));
  auto const kept = [&] {
    return direct.value("SELECT count(*) FROM live_code WHERE sealed_number IS NOT NULL");
  };
  static_cast<void>(direct.ledger().maintain(direct.clock.now()));
  CHECK(kept() == "2");
  SUBCASE("when the window is over") {}
  SUBCASE("when it ends after a restart") { direct.reopen(); }
  direct.clock.pass(10min);
  CHECK(direct.ledger().maintain(direct.clock.now()).numbers_erased == 2);
  CHECK(kept() == "0");
  CHECK(direct.is_known(1));
  direct.clock.pass(2h);
  static_cast<void>(direct.ledger().maintain(direct.clock.now()));
  CHECK_FALSE(direct.is_known(1));
  CHECK_FALSE(direct.is_known(100));
  direct.check_verified();
}

TEST_CASE("maintenance does some hundred rows a pass and says when there are more") {
  DirectLedger direct;
  std::vector<storage::Command> batch;
  batch.reserve(300);
  for (int code = 0; code < 300; ++code) {
    batch.push_back(
        {.action = storage::BeginCommand{DirectLedger::intent(code, caller(1), direct.clock.wall())},
         .steady = direct.clock.steady()});
  }
  for (storage::CommandResult const& result : direct.ledger().apply(batch)) {
    direct.settle(std::get<ledger::Started>(std::get<ledger::BeginResult>(result)).attempt, State::retryable,
                  Cause::not_sent);
  }
  direct.clock.pass(5min);
  storage::Maintenance const first = direct.ledger().maintain(direct.clock.now());
  CHECK(first.abandoned == 256);
  CHECK(first.more);
  storage::Maintenance const second = direct.ledger().maintain(direct.clock.now());
  CHECK(second.abandoned == 44);
  CHECK_FALSE(second.more);
  CHECK(direct.value("SELECT count(*) FROM v_in_doubt") == "300");
  direct.check_verified();
}

TEST_CASE("without a pack a unit is taken from the overdraft at the configured price") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::ok, Cause::none);
  direct.settle(direct.started(2), State::in_doubt, Cause::timeout);
  direct.settle(direct.started(3), State::rejected, Cause::none);
  storage::Table const packs = direct.query(
      "SELECT source, units, available, used, doubt, amount_used_yuan FROM v_packs WHERE kind = 'quick'");
  REQUIRE(packs.rows.size() == 1);
  CHECK(storage::to_text(packs.at(0, "source")) == "overdraft");
  CHECK(storage::to_text(packs.at(0, "available")) == "0");
  CHECK(storage::to_text(packs.at(0, "used")) == "1");
  CHECK(storage::to_text(packs.at(0, "doubt")) == "1");
  CHECK(storage::to_text(packs.at(0, "amount_used_yuan")) == "0.03");
  direct.check_verified();
}

TEST_CASE(
    "units burn from the trial first, then the earliest end, then the lowest pack, then the overdraft") {
  DirectLedger direct;
  direct.settle(direct.started(1), State::rejected, Cause::none);  // makes the app and its overdraft packs
  std::int64_t const now = core::unix_ms(direct.clock.wall());
  std::string const soon = std::to_string(now + 86'400'000);
  std::string const late = std::to_string(now + 172'800'000);
  buy(direct, "1, 'quick', 'paid', 1, 10, 0, " + late, 1, 10);                 // 3
  buy(direct, "1, 'quick', 'paid', 1, 20, 0, " + soon, 1, 20);                 // 4
  buy(direct, "1, 'quick', 'paid', 1, 30, 0, " + soon, 1, 30);                 // 5
  buy(direct, "1, 'quick', 'trial', 1, NULL, 0, NULL", 1, 0);                  // 6
  buy(direct, "1, 'quick', 'paid', 1, 40, " + soon + ", " + late, 1, 40);      // 7: not begun
  buy(direct, "1, 'quick', 'paid', 1, 50, 0, " + std::to_string(now), 1, 50);  // 8: ended
  buy(direct, "1, 'realtime', 'paid', 1, 60, 0, " + soon, 1, 60);              // 9: another kind
  for (int code = 2; code <= 6; ++code) direct.settle(direct.started(code), State::ok, Cause::none);
  CHECK(
      direct.value(
          "SELECT group_concat(e.pack) FROM (SELECT pack FROM entry WHERE kind = 'use' ORDER BY id) AS e") ==
      "6,4,5,3,1");
  direct.check_verified();
}

TEST_CASE("the money of a pack is used up exactly, whatever was paid for it") {
  std::mt19937 random(20261123);
  for (int round = 0; round < 5; ++round) {
    int const units = std::uniform_int_distribution<>(1, 40)(random);
    int const paid = std::uniform_int_distribution<>(0, 1'000'000)(random);
    CAPTURE(units);
    CAPTURE(paid);
    DirectLedger direct;
    direct.settle(direct.started(0), State::rejected, Cause::none);
    buy(direct, "1, 'quick', 'paid', " + std::to_string(units) + ", " + std::to_string(paid) + ", 0, NULL",
        units, paid);
    for (int code = 1; code <= units; ++code) {
      bool const doubtful = std::uniform_int_distribution<>(0, 3)(random) == 0;
      direct.settle(direct.started(code), doubtful ? State::in_doubt : State::ok,
                    doubtful ? Cause::timeout : Cause::none);
    }
    CHECK(direct.value("SELECT sum(b.micro_yuan) FROM pack_balance AS b WHERE b.pack = 3 AND b.account IN"
                       " ('used', 'doubt')") == std::to_string(paid));
    CHECK(direct.value("SELECT b.units || '/' || b.micro_yuan FROM pack_balance AS b WHERE b.pack = 3"
                       " AND b.account = 'available'") == "0/0");
    CHECK(direct.value("SELECT max(e.micro_yuan) - min(e.micro_yuan) <= 1 FROM entry AS e WHERE e.pack = 3"
                       " AND e.kind <> 'purchase'") == "1");
    direct.check_verified();
  }
}

TEST_CASE("a disk without room refuses a batch as a whole, and nothing of it is left") {
  TempFolder folder;
  StandingClock clock;
  static_cast<void>(opened(options_for(folder / "onetap.db", clock)));
  storage::Connection connection(folder / "onetap.db", storage::Access::read_write);
  sqlite3* const handle = connection.handle();
  std::string const limit = "PRAGMA max_page_count = " + connection.text("PRAGMA page_count");
  storage::SqliteLedger ledger(std::move(connection), {.replay_window = 10min, .prices = {}});
  ledger.start(clock.now());
  std::vector<storage::Command> batch;
  batch.reserve(2000);
  for (int code = 0; code < 2000; ++code) {
    batch.push_back({.action = storage::BeginCommand{DirectLedger::intent(code, caller(1), clock.wall())},
                     .steady = clock.steady()});
  }
  REQUIRE(sqlite3_exec(handle, limit.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  bool full = false;
  try {
    static_cast<void>(ledger.apply(batch));
  } catch (storage::SqliteError const& error) {
    full = error.is_disk_full();
  }
  CHECK(full);
  REQUIRE(sqlite3_exec(handle, "PRAGMA max_page_count = 100000", nullptr, nullptr, nullptr) == SQLITE_OK);
  // Each begins as attempt 1 of the first consumption on: nothing was left behind.
  std::vector<storage::CommandResult> const results = ledger.apply(batch);
  auto const& last = std::get<ledger::Started>(std::get<ledger::BeginResult>(results.back()));
  CHECK(last.attempt.consumption == 2000);
}

}  // namespace onetap::tests
