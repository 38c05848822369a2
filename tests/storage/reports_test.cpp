#include <algorithm>
#include <map>

#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using storage::to_text;

storage::Reports reports_of(SqliteUnderTest const& tested) {
  auto reports = storage::Reports::open(tested.path());
  if (!reports) FAIL(reports.error());
  return std::move(*reports);
}

/// Breaks a ledger the way no onetap would: triggers and checks are out of the way.
void tamper(SqliteUnderTest const& tested, std::string const& sql) {
  storage::Connection connection(tested.path(), storage::Access::read_write);
  for (std::string const trigger :
       {"consumption_changes", "entry_unchanged", "entry_stays", "attempt_stays"}) {
    connection.run("DROP TRIGGER IF EXISTS " + trigger);
  }
  connection.run("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF");
  connection.run(sql);
}

std::vector<std::string> rules_broken(SqliteUnderTest const& tested) {
  storage::Table const table = reports_of(tested).verify(true).violations;
  std::vector<std::string> rules;
  rules.reserve(table.rows.size());
  for (std::vector<storage::Value> const& row : table.rows) rules.push_back(to_text(row.front()));
  return rules;
}

bool breaks(SqliteUnderTest const& tested, std::string const& rule) {
  return std::ranges::count(rules_broken(tested), rule) > 0;
}

}  // namespace

TEST_CASE("the views have exactly the columns that operators were promised, and there are no others") {
  std::map<std::string, std::string> const promised{
      {"v_consumptions",
       "id app_id kind path state attempts request_id phone_mask errcode rid scene out_id client_env"
       " created_at finished_at"},
      {"v_daily",
       "app_id day kind codes ok rejected retryable in_doubt lost free wechat_calls amount_yuan"
       " amount_estimated_yuan"},
      {"v_monthly", "app_id month kind pack_id opening bought used lost doubt expired closing amount_yuan"},
      {"v_scenes", "app_id day kind scene client_env issued ok lost amount_yuan"},
      {"v_packs",
       "pack_id app_id kind wx_pkg_id source units available used doubt lost expired refunded used_before"
       " price_yuan price_known amount_used_yuan starts_at ends_at"},
      {"v_in_doubt", "id app_id kind cause since seconds_left rid"},
      {"v_reconciliation",
       "app_id kind wx_pkg_id as_of wx_all wx_used used_before our_used our_lost our_doubt unexplained"
       " verdict"},
      {"v_funnel",
       "app_id day kind taps issued denied no_quota privacy_denied consumed failed fallback never_presented"},
      {"v_verify", "rule id detail"},
      {"v_alarms", "alarm_id alarm severity app_id kind what step facts raised_at ended_at sent_at"},
  };
  RawLedger raw;
  std::map<std::string, std::string> views;
  storage::Statement columns(raw.connection,
                             "SELECT v.name, group_concat(c.name, ' ') FROM sqlite_schema AS v"
                             " JOIN pragma_table_info(v.name) AS c WHERE v.type = 'view' GROUP BY v.name");
  storage::Rows rows = columns.query({});
  while (rows.next()) views.emplace(rows.text(0), rows.text(1));
  CHECK(views == promised);
}

TEST_CASE("a consumption is shown with its times in UTC, by its id and by its request") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  core::Intent intent = speaker.intent(1, caller(1));
  intent.scene = "order";
  intent.out_id = "A-17";
  intent.client_env = core::ClientEnv::release;
  ledger::BeginResult const began = await(tested.loop(), tested.port().begin(intent));
  tested.pass(std::chrono::seconds(2));
  speaker.settle_ok(std::get<ledger::Started>(began).attempt);

  storage::Reports reports = reports_of(tested);
  storage::Table const table = reports.named("consumptions_of_request", {std::string_view("request-1")});
  REQUIRE(table.rows.size() == 1);
  CHECK(to_text(table.at(0, "app_id")) == "wx0000000000000001");
  CHECK(to_text(table.at(0, "path")) == "exchange");
  CHECK(to_text(table.at(0, "state")) == "ok");
  CHECK(to_text(table.at(0, "phone_mask")) == "138****8000");
  CHECK(to_text(table.at(0, "scene")) == "order");
  CHECK(to_text(table.at(0, "out_id")) == "A-17");
  CHECK(to_text(table.at(0, "client_env")) == "release");
  CHECK(to_text(table.at(0, "created_at")) == "2124-11-22T08:00:00Z");
  CHECK(to_text(table.at(0, "finished_at")) == "2124-11-22T08:00:02Z");
  std::int64_t const id = std::get<std::int64_t>(table.at(0, "id"));
  CHECK(reports.named("consumption", {id}).rows == table.rows);
  CHECK(reports.named("consumption", {id + 1}).rows.empty());
  CHECK(reports.named("latest_consumptions", {10}).rows == table.rows);
}

TEST_CASE("the daily view counts codes, calls and money by China's days") {
  SqliteUnderTest tested;  // 16:00 in China
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  std::optional<core::AttemptId> const again = speaker.resend(speaker.started(2, caller(1)));
  REQUIRE(again);
  speaker.settle_ok(*again);
  speaker.settle_rejected(speaker.started(3, caller(1)));
  speaker.settle_as(speaker.started(4, caller(1)), State::in_doubt, Cause::timeout);
  speaker.settle_as(speaker.started(5, caller(1)), State::retryable, Cause::not_sent);
  tested.pass(std::chrono::hours(8) - core::milliseconds(1));
  speaker.started(6, caller(1));
  tested.pass(core::milliseconds(1));
  speaker.settle_ok(speaker.started(7, caller(1)));

  storage::Table const days = reports_of(tested).named("daily", {std::string_view(), std::string_view()});
  REQUIRE(days.rows.size() == 2);
  CHECK(to_text(days.at(0, "day")) == "2124-11-22");
  CHECK(to_text(days.at(0, "codes")) == "6");
  CHECK(to_text(days.at(0, "ok")) == "2");
  CHECK(to_text(days.at(0, "rejected")) == "1");
  CHECK(to_text(days.at(0, "retryable")) == "1");
  CHECK(to_text(days.at(0, "in_doubt")) == "1");
  CHECK(to_text(days.at(0, "lost")) == "0");
  CHECK(to_text(days.at(0, "wechat_calls")) == "6");
  CHECK(to_text(days.at(0, "amount_yuan")) == "0.06");
  CHECK(to_text(days.at(0, "amount_estimated_yuan")) == "0.06");
  CHECK(to_text(days.at(1, "day")) == "2124-11-23");
  CHECK(to_text(days.at(1, "amount_yuan")) == "0.03");
}

TEST_CASE("what is in doubt is listed with its cause") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  speaker.settle_as(speaker.started(2, caller(1)), State::in_doubt, Cause::http_error);
  storage::Table const table = reports_of(tested).named("in_doubt", {std::string_view(), std::string_view()});
  REQUIRE(table.rows.size() == 1);
  CHECK(to_text(table.at(0, "cause")) == "http_error");
  CHECK(to_text(table.at(0, "since")) == "2124-11-22T08:00:00Z");
}

TEST_CASE("verify finds what was broken by hand") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));                                         // 1
  speaker.settle_as(speaker.started(2, caller(1)), State::in_doubt, Cause::timeout);        // 2
  speaker.settle_rejected(speaker.started(3, caller(1)));                                   // 3
  speaker.settle_as(speaker.started(4, caller(1)), State::retryable, Cause::rate_limited);  // 4
  speaker.started(5, caller(1));                                                            // 5
  REQUIRE(rules_broken(tested).empty());

  SUBCASE("a balance") {
    tamper(tested, "UPDATE pack_balance SET units = units + 1 WHERE account = 'used'");
    CHECK(breaks(tested, "pack_balance"));
    CHECK(breaks(tested, "pack_sum"));
  }
  SUBCASE("a balance's money") {
    tamper(tested, "UPDATE pack_balance SET micro_yuan = micro_yuan - 1 WHERE account = 'used'");
    CHECK(breaks(tested, "pack_balance"));
  }
  SUBCASE("an account below zero") {
    tamper(tested, "INSERT INTO pack_balance VALUES (1, 'lost', -1, -1)");
    CHECK(breaks(tested, "pack_negative"));
  }
  SUBCASE("money of a pack that is not its price") {
    tamper(tested, "UPDATE pack SET source = 'paid', wx_pkg_id = 'P', price_micro_yuan = 60001 WHERE id = 1");
    CHECK(breaks(tested, "pack_price"));
    tamper(tested, "UPDATE pack SET price_micro_yuan = 60000 WHERE id = 1");
    CHECK_FALSE(breaks(tested, "pack_price"));
  }
  SUBCASE("a missing entry") {
    tamper(tested, "DELETE FROM entry WHERE consumption = 1");
    CHECK(breaks(tested, "state_and_entries"));
  }
  SUBCASE("an entry too many") {
    tamper(tested,
           "INSERT INTO entry (kind, pack, consumption, from_account, to_account, units, micro_yuan, at)"
           " VALUES ('use', 1, 3, 'source', 'used', 1, 30000, 5)");
    CHECK(breaks(tested, "state_and_entries"));
  }
  SUBCASE("another amount") {
    tamper(tested, "UPDATE consumption SET micro_yuan = 1 WHERE id = 1");
    CHECK(breaks(tested, "amount"));
  }
  SUBCASE("an ok with attempts that were not refused") {
    tamper(tested, "UPDATE consumption SET attempts = 3 WHERE id = 1");
    CHECK(breaks(tested, "ok_once"));
    CHECK(breaks(tested, "attempt_after_doubtful_one"));
  }
  SUBCASE("a refusal that is not there") {
    tamper(tested, "DELETE FROM attempt WHERE consumption = 4");
    CHECK(breaks(tested, "refusal_unrecorded"));
  }
  SUBCASE("a number sealed for a rejected code") {
    tamper(tested, "UPDATE live_code SET sealed_number = x'01' WHERE consumption = 3");
    CHECK(breaks(tested, "sealed_number_without_ok"));
  }
  SUBCASE("a number kept too long") {
    tamper(tested, "UPDATE consumption SET finished_at = 1000 WHERE id = 1");
    CHECK(breaks(tested, "sealed_number_kept_too_long"));
    CHECK(reports_of(tested).verify(false).is_clean());
    CHECK(reports_of(tested).verify(false).notes.rows.size() == 2);  // this, and the open attempt
  }
  SUBCASE("a rejection after doubt") {
    tamper(tested, "UPDATE consumption SET state = 'rejected', cause = '' WHERE id = 2");
    CHECK(breaks(tested, "doubt_is_sticky"));
  }
  SUBCASE("a refused attempt after doubt") {
    tamper(tested,
           "INSERT INTO attempt (consumption, number, run, cause, opened_at, closed_at)"
           " VALUES (2, 1, 1, 'not_sent', 5, 5)");
    CHECK(breaks(tested, "refusal_after_doubt"));
  }
  SUBCASE("an open attempt that nothing keeps from being sent again") {
    tamper(tested, "DELETE FROM live_code WHERE consumption = 5");
    CHECK(breaks(tested, "live_code_missing"));
  }
  SUBCASE("an open attempt of an earlier run: a note while no server runs") {
    tamper(tested, "INSERT INTO run (pid, started_at) VALUES (1, 1)");
    CHECK(breaks(tested, "open_attempt_of_earlier_run"));
    storage::Verification const stopped = reports_of(tested).verify(false);
    CHECK(stopped.is_clean());
    CHECK(stopped.notes.rows.size() == 1);
  }
}

TEST_CASE("while no server runs, verify notes what the last one left open, and numbers that are overdue") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  static_cast<void>(speaker.started(2, caller(2)));
  tested.close();
  tamper(tested, "UPDATE consumption SET finished_at = 1000 WHERE id = 1");
  CHECK(reports_of(tested).verify(true).notes.rows.empty());
  storage::Verification const stopped = reports_of(tested).verify(false);
  CHECK(stopped.is_clean());
  REQUIRE(stopped.notes.rows.size() == 2);
  CHECK(to_text(stopped.notes.at(0, "rule")) == "open_attempt_of_earlier_run");
  CHECK(to_text(stopped.notes.at(0, "id")) == "2");
  CHECK(to_text(stopped.notes.at(1, "rule")) == "sealed_number_kept_too_long");
  CHECK(to_text(stopped.notes.at(1, "id")) == "1");
}

TEST_CASE("a number whose server was stopped in order is not overdue") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  tested.close();
  tamper(tested, "UPDATE consumption SET finished_at = 1000 WHERE id = 1");
  CHECK_FALSE(breaks(tested, "sealed_number_kept_too_long"));
}

TEST_CASE("verify finds a dangling reference and a damaged page") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  speaker.settle_ok(speaker.started(1, caller(1)));
  tamper(tested, "INSERT INTO live_code VALUES (randomblob(32), 999, NULL, 1, NULL)");
  CHECK_FALSE(reports_of(tested).verify(true).is_clean());
}

TEST_CASE("reports cannot write") {
  SqliteUnderTest tested;
  storage::Reports reports = reports_of(tested);
  CHECK_THROWS(static_cast<void>(reports.query("DELETE FROM live_code", {})));
}

TEST_CASE("a ledger that is not there is reported in a sentence, and not made") {
  TempFolder folder;
  auto const reports = storage::Reports::open(folder / "missing.db");
  REQUIRE_FALSE(reports.has_value());
  CHECK(reports.error().find("there is no ledger") == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "missing.db"));
}

}  // namespace onetap::tests
