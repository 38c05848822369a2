#include "storage/alarm_table.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"
#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;
using core::Alarm;
using core::AlarmName;

std::string id_of(int number) {
  std::string id = std::to_string(number);
  return std::string(26 - id.size(), '0') + id;
}

/// A ledger that keeps alarms, and what it has of them.
struct Office {
  SqliteUnderTest tested;
  Speaker speaker{tested};

  bool change(core::AlarmChanges changes) {
    return await(tested.loop(), tested.thread().change_alarms(std::move(changes)));
  }
  [[nodiscard]] Alarm alarm(int number, AlarmName name = AlarmName::quota_low) const {
    return {.id = id_of(number),
            .subject = {.name = name, .appid = "wx1", .kind = "quick", .what = "pack"},
            .step = 10,
            .severity = core::AlarmSeverity::critical,
            .facts = {{"unitsLeft", 42}},
            .units_given = 1000,
            .raised = tested.now()};
  }
  [[nodiscard]] storage::Connection reader() const { return {tested.path(), storage::Access::read_only}; }
  [[nodiscard]] std::vector<Alarm> kept() const {
    storage::Connection connection = reader();
    return storage::load_alarms(connection);
  }
};

}  // namespace

TEST_CASE("an alarm is kept with all that it says, until it ends; a start finds it") {
  Office office;
  CHECK(office.change({.raised = {office.alarm(1)}, .ended = {}, .sent = {}}));
  std::vector<Alarm> const kept = office.kept();
  REQUIRE(kept.size() == 1);
  Alarm const wanted = office.alarm(1);
  CHECK(kept[0].id == wanted.id);
  CHECK(kept[0].subject == wanted.subject);
  CHECK(kept[0].step == 10);
  CHECK(kept[0].severity == core::AlarmSeverity::critical);
  CHECK(kept[0].facts == wanted.facts);
  CHECK(kept[0].units_given == 1000);
  CHECK(kept[0].raised == wanted.raised);
  CHECK(kept[0].is_active());
  CHECK_FALSE(kept[0].sent);
  office.tested.pass(1min);
  CHECK(office.change({.raised = {}, .ended = {}, .sent = {{.id = id_of(1), .at = office.tested.now()}}}));
  CHECK(office.change({.raised = {}, .ended = {{.id = id_of(1), .at = office.tested.now()}}, .sent = {}}));
  CHECK(office.kept()[0].ended == office.tested.now());
  CHECK(office.kept()[0].sent == office.tested.now());
}

TEST_CASE("what is written twice is there once, and a worse step takes the place of the one before") {
  Office office;
  core::AlarmChanges const first{.raised = {office.alarm(1)}, .ended = {}, .sent = {}};
  CHECK(office.change(first));
  CHECK(office.change(first));
  CHECK(office.kept().size() == 1);
  Alarm worse = office.alarm(2);
  worse.step = 5;
  CHECK(
      office.change({.raised = {worse}, .ended = {{.id = id_of(1), .at = office.tested.now()}}, .sent = {}}));
  std::vector<Alarm> const kept = office.kept();
  REQUIRE(kept.size() == 2);
  CHECK_FALSE(kept[0].is_active());
  CHECK(kept[1].step == 5);
}

TEST_CASE("raised and over before it could be written is both, once it can") {
  Office office;
  CHECK(office.change(
      {.raised = {office.alarm(1)}, .ended = {{.id = id_of(1), .at = office.tested.now()}}, .sent = {}}));
  CHECK_FALSE(office.kept()[0].is_active());
}

TEST_CASE("one that a lost end left behind gives way to the next of its subject") {
  Office office;
  CHECK(office.change({.raised = {office.alarm(1)}, .ended = {}, .sent = {}}));
  CHECK(office.change({.raised = {office.alarm(2)}, .ended = {}, .sent = {}}));
  CHECK_FALSE(office.kept()[0].is_active());
  CHECK(office.kept()[1].is_active());
}

TEST_CASE("a start hands over what is on, and the last that ended; very old ones go") {
  Office office;
  for (int i = 1; i <= 120; ++i) {
    CHECK(office.change(
        {.raised = {office.alarm(i)}, .ended = {{.id = id_of(i), .at = office.tested.now()}}, .sent = {}}));
  }
  CHECK(office.kept().size() == core::limits::alarms_remembered);
  CHECK(office.kept().back().id == id_of(120));
  office.tested.pass(std::chrono::days(401));
  CHECK(office.change({.raised = {office.alarm(500)}, .ended = {}, .sent = {}}));
  storage::Connection connection = office.reader();
  CHECK(connection.integer("SELECT count(*) FROM alarm") == 111);
}

TEST_CASE("what an alarm is never changes, and what is on stays") {
  RawLedger raw;
  std::string const id = id_of(1);
  REQUIRE(raw.takes(
      "INSERT INTO alarm (id, name, appid, kind, what, step, severity, facts, units_given, raised_at)"
      " VALUES ('" +
      id + "', 'clock_off', '', '', '', 0, 'critical', '{}', 0, 1)"));
  CHECK_FALSE(raw.takes("UPDATE alarm SET step = 3"));
  CHECK_FALSE(raw.takes("UPDATE alarm SET facts = '{ }'"));
  CHECK_FALSE(raw.takes("DELETE FROM alarm"));
  CHECK_FALSE(raw.takes(
      "INSERT INTO alarm (id, name, appid, kind, what, step, severity, facts, units_given, raised_at)"
      " VALUES ('" +
      id_of(2) + "', 'clock_off', '', '', '', 0, 'critical', '{}', 0, 1)"));
  CHECK(raw.takes("UPDATE alarm SET ended_at = 2"));
  CHECK_FALSE(raw.takes("UPDATE alarm SET ended_at = NULL"));
  CHECK_FALSE(raw.takes("UPDATE alarm SET ended_at = 3"));
  CHECK(raw.takes("DELETE FROM alarm"));
}

TEST_CASE("WeChat's last figures are found again, of each pack; what has ended since is over") {
  Office office;
  core::UsageSnapshot snapshot{.appid = "wx1",
                               .kind = core::Kind::quick,
                               .packs = {{.pkg_id = "", .all = 1000, .used = 990},
                                         {.pkg_id = "ZY1",
                                          .all = 500,
                                          .used = 20,
                                          .starts = office.tested.now() - 24h,
                                          .ends = office.tested.now() + 24h}},
                               .as_of = office.tested.now()};
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  office.tested.pass(1h);
  snapshot.as_of = office.tested.now();
  snapshot.packs[1].used = 30;
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  storage::Connection connection = office.reader();
  auto const found = storage::load_last_usage(connection, office.tested.now());
  REQUIRE(found.size() == 1);
  REQUIRE(found[0].snapshot);
  CHECK(found[0].appid == "wx1");
  CHECK(found[0].snapshot->as_of == office.tested.now());
  CHECK(found[0].snapshot->units_left() == 10 + 470);
  CHECK(found[0].snapshot->packs[1].ends == snapshot.packs[1].ends);
  CHECK_FALSE(found[0].told);
  auto const later = storage::load_last_usage(connection, office.tested.now() + 48h);
  CHECK(later[0].snapshot->units_left() == 10);
}

TEST_CASE("a pack that WeChat's last answer leaves out is not found again, whether or not others changed") {
  Office office;
  core::UsageSnapshot snapshot{
      .appid = "wx1",
      .kind = core::Kind::quick,
      .packs = {{.pkg_id = "", .all = 1000, .used = 990}, {.pkg_id = "ZY1", .all = 500, .used = 20}},
      .as_of = office.tested.now()};
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  office.tested.pass(1min);
  snapshot.as_of = office.tested.now();
  snapshot.packs.pop_back();
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  storage::Connection connection = office.reader();
  auto found = storage::load_last_usage(connection, office.tested.now());
  REQUIRE(found.size() == 1);
  CHECK(found[0].snapshot->units_left() == 10);
  CHECK(found[0].snapshot->as_of == office.tested.now());
  office.tested.pass(1min);
  snapshot.as_of = office.tested.now();
  snapshot.packs.clear();
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  found = storage::load_last_usage(connection, office.tested.now());
  REQUIRE(found.size() == 1);
  CHECK(found[0].snapshot->packs.empty());
}

TEST_CASE("what was pushed is found again, with figures or without, until it has ended") {
  Office office;
  core::ToldPercent const told{.percent_left = 5, .at = office.tested.now()};
  auto const keep = [&](std::optional<core::ToldPercent> word) {
    core::PushedUsage pushed{.appid = "wx1", .kind = core::Kind::realtime, .told = word, .at = told.at};
    CHECK(await(office.tested.loop(), office.tested.thread().keep_pushed(std::move(pushed))));
  };
  keep(told);
  storage::Connection connection = office.reader();
  auto found = storage::load_last_usage(connection, office.tested.now());
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == core::Kind::realtime);
  CHECK_FALSE(found[0].snapshot);
  CHECK(found[0].told == told);
  keep(std::nullopt);
  found = storage::load_last_usage(connection, office.tested.now());
  CHECK_FALSE(found[0].told);
}

TEST_CASE("what was booked is read by hours, each entry once") {
  Office office;
  core::WallTime const began = office.tested.now();
  office.speaker.settle_ok(office.speaker.started(1, caller(1)));
  office.speaker.settle_ok(office.speaker.started(2, caller(1)));
  storage::Connection connection = office.reader();
  storage::SpendingRead const first = storage::read_spending(connection, 0, began - 24h);
  REQUIRE(first.hours.size() == 1);
  CHECK(first.hours[0].owner.kind == core::Kind::quick);
  CHECK(first.hours[0].hour == core::hour_of(began));
  CHECK(first.hours[0].units == 2);
  CHECK(first.hours[0].beyond_packs == 2);  // no pack is known
  CHECK(storage::read_spending(connection, first.last_entry, began - 24h).hours.empty());
  office.tested.pass(1h);
  office.speaker.settle_ok(office.speaker.started(3, caller(2)));
  auto const next = storage::read_spending(connection, first.last_entry, began - 24h);
  REQUIRE(next.hours.size() == 1);
  CHECK(next.hours[0].units == 1);
  // What is older than asked for is left out, without a look at it.
  CHECK(storage::read_spending(connection, 0, began + 30min).hours[0].units == 1);
}

TEST_CASE("what no pack could pay for is beyond packs until its pack is seen") {
  Office office;
  core::WallTime const began = office.tested.now();
  core::Intent const intent = office.speaker.intent(1, caller(1));
  auto const first = await(office.tested.loop(), office.tested.port().begin(intent));
  office.speaker.settle_ok(std::get<ledger::Started>(first).attempt);
  core::UsageSnapshot const snapshot{.appid = intent.appid,
                                     .kind = core::Kind::quick,
                                     .packs = {{.pkg_id = "", .all = 1000, .used = 1}},
                                     .as_of = office.tested.now()};
  CHECK(await(office.tested.loop(), office.tested.thread().record_usage(snapshot)));
  storage::Connection connection = office.reader();
  storage::SpendingRead const read = storage::read_spending(connection, 0, began - 24h);
  REQUIRE(read.hours.size() == 1);
  CHECK(read.hours[0].units == 1);
  CHECK(read.hours[0].beyond_packs == 0);
}

TEST_CASE("who brought the most codes is told by digests") {
  Office office;
  auto const bring = [&](int code, int user) {
    core::Intent intent = office.speaker.intent(code, caller(user));
    intent.user = caller(user);
    auto const began = await(office.tested.loop(), office.tested.port().begin(intent));
    office.speaker.settle_ok(std::get<ledger::Started>(began).attempt);
  };
  bring(1, 7);
  office.tested.pass(2h);
  bring(2, 8);
  bring(3, 8);
  storage::Connection connection = office.reader();
  auto const of_day = storage::read_top_users(connection, office.tested.now() - 24h);
  REQUIRE(of_day.size() == 2);
  CHECK(of_day[0].codes == 2);
  CHECK(of_day[0].user.size() == 16);
  CHECK(storage::read_top_users(connection, office.tested.now() - 1h).size() == 1);
}

TEST_CASE("alarms and forecast look at the history by row id only") {
  RawLedger raw;
  for (auto const& [name, sql] : storage::named_statements(storage::sql_file("alarms.sql"))) {
    storage::Statement explain(raw.connection, "EXPLAIN QUERY PLAN " + std::string(sql));
    storage::Rows rows = explain.query({});
    while (rows.next()) {
      std::string const step = rows.text(3);
      CAPTURE(name);
      CAPTURE(step);
      bool const is_scan =
          step.starts_with("SCAN c") || step.starts_with("SCAN e") || step.starts_with("SCAN n");
      CHECK((!is_scan || name.find("insert") != std::string_view::npos));
    }
  }
}

TEST_CASE("upkeep that the schema refuses keeps no number from being erased, and does not end the server") {
  Office office;
  office.speaker.settle_ok(office.speaker.started(1, caller(1)));
  {
    storage::Connection saboteur(office.tested.path(), storage::Access::read_write);
    saboteur.run(
        "INSERT INTO event (app, event_id, type, kind, client_env, at, received_at)"
        " VALUES (1, 'an-event-of-long-ago', 'tap', 'quick', 'release', 1, 1);"
        "CREATE TRIGGER sabotage BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'no'); END;");
  }
  office.tested.pass(1h);
  office.tested.maintain();
  CHECK(office.tested.thread().statistics().maintenance_refused > 0);
  CHECK(office.tested.thread().statistics().numbers_erased == 1);
  CHECK(office.tested.thread().writable());
}

TEST_CASE("an event that cannot be settled late keeps no other from being settled") {
  Office office;
  office.speaker.settle_ok(office.speaker.started(1, caller(1)));
  {
    storage::Connection writer(office.tested.path(), storage::Access::read_write);
    writer.run(
        "INSERT INTO event (app, event_id, type, kind, client_env, code_key, at, received_at) VALUES"
        " (1, 'late-event-number-one', 'issued', 'quick', 'release', randomblob(32), 1, 9000000),"
        " (1, 'late-event-number-two', 'issued', 'quick', 'release', randomblob(32), 1, 9000000)");
  }
  // The first names a consumption that there is not.
  std::vector<storage::LateEvent> const events{{.id = 1, .consumption = 999}, {.id = 2, .consumption = 1}};
  static_cast<void>(await(office.tested.loop(), office.tested.thread().settle_late_events(events)));
  storage::Connection connection = office.reader();
  CHECK(connection.integer("SELECT count(*) FROM event WHERE presented = 1 AND id = 2") == 1);
}

}  // namespace onetap::tests
