#include <array>
#include <string>
#include <vector>

#include "storage/embedded_sql.hpp"
#include "storage/reports.hpp"
#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t noon = 1'795'320'000'000;  // 2026-11-22T04:00:00Z, noon in China

storage::Statement prepared(storage::Connection& connection, std::string_view name) {
  static auto const statements = storage::named_statements(storage::sql_file("observations.sql"));
  return {connection, statements.at(name)};
}

std::string of(std::int64_t id) { return " WHERE id = " + std::to_string(id); }

struct Event {
  std::string id;
  std::string type = "tap";
  std::int64_t at = noon;
  std::optional<std::int64_t> received_at{};  // none: at once
  std::optional<core::Digest> code{};
  std::string kind = "quick";
  std::string scene{};
  std::string client_env = "release";
  std::int64_t app = 1;
};

/// A page and its codes, spoken to in SQL.
class Page {
 public:
  Page() { raw.connection.run("INSERT INTO app (appid) VALUES ('wx2')"); }

  /// Whether the event is new. Its id gets the length that an id has.
  bool tell(Event const& event) {
    std::string const id = event.id + std::string(16, '-');
    prepared(raw.connection, "insert_event")
        .run({event.app, id, event.type, event.kind, nullptr, event.code, storage::null_if_empty(event.scene),
              event.client_env, event.at, event.received_at.value_or(event.at)});
    return raw.connection.changes() == 1;
  }
  void issue(std::string const& id, int code, std::int64_t at = noon,
             std::optional<std::int64_t> received_at = std::nullopt) {
    REQUIRE(
        tell({.id = id, .type = "issued", .at = at, .received_at = received_at, .code = digest_of(code)}));
  }

  /// A code comes, and is in live_code while `live`.
  void present(int code, std::int64_t at, bool live = true, std::string const& state = "sending") {
    storage::Statement consumption(
        raw.connection,
        "INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at,"
        " request_id, code_key, scene, client_env, created_at)"
        " VALUES (1, 'quick', 'exchange', 'sending', '', 1, 2, ?2, 'r', ?1, 'order', 'release', ?2)");
    consumption.run({digest_of(code), at});
    std::int64_t const id = raw.connection.last_insert_rowid();
    if (state == "lost" || state == "free") raw.connection.run(RawLedger::update(id, "sending", "in_doubt"));
    if (state != "sending") {
      raw.connection.run(
          RawLedger::update(id, state == "lost" || state == "free" ? "in_doubt" : "sending", state));
    }
    book(id, at, state);
    if (!live) return;
    storage::Statement row(raw.connection, "INSERT INTO live_code VALUES (?1, ?2, NULL, ?3, NULL)");
    row.run({digest_of(code), id, at});
  }

  void book(std::int64_t consumption, std::int64_t at, std::string const& state) {
    if (state != "ok" && state != "lost") return;
    bool const lost = state == "lost";
    storage::Statement entry(raw.connection,
                             "INSERT INTO entry (kind, pack, consumption, from_account, to_account, units,"
                             " micro_yuan, at) VALUES (?1, 1, ?2, ?3, ?4, 1, 30000, ?5)");
    if (lost) entry.run({"doubt", consumption, "source", "doubt", at});
    entry.run(
        {lost ? "resolve_lost" : "use", consumption, lost ? "doubt" : "source", lost ? "lost" : "used", at});
  }

  void settle(std::int64_t now) {
    prepared(raw.connection, "settle_events").run({now, 100});
    struct Late {
      std::int64_t id = 0;
      std::optional<std::int64_t> consumption;
    };
    std::vector<Late> late;
    {
      storage::Statement find = prepared(raw.connection, "find_late_events");
      storage::Rows rows = find.query({now, 100});
      while (rows.next()) late.push_back({.id = rows.integer(0), .consumption = rows.integer_or_none(1)});
    }
    for (Late const& event : late)
      prepared(raw.connection, "settle_late_event").run({event.id, event.consumption});
  }
  void forget(std::int64_t before) { prepared(raw.connection, "forget_events").run({before, 100}); }

  /// "1", "0", or "" while it is not known whether the event's code came.
  std::string presented(std::string const& id) {
    return raw.connection.text("SELECT coalesce(presented, '') FROM event WHERE event_id LIKE '" + id +
                               "-%'");
  }
  /// The row of v_funnel: taps issued denied no_quota privacy_denied consumed failed fallback
  /// never_presented.
  std::string funnel(std::string const& of_day, std::string const& kind = "quick",
                     std::string const& app = "wx1") {
    return raw.connection.text(
        "SELECT coalesce(max(concat_of), '') FROM (SELECT taps || ' ' || issued || ' ' || denied || ' ' ||"
        " no_quota || ' ' || privacy_denied || ' ' || consumed || ' ' || failed || ' ' || fallback || ' ' ||"
        " never_presented AS concat_of FROM v_funnel WHERE day = '" +
        of_day + "' AND kind = '" + kind + "' AND app_id = '" + app + "')");
  }

  RawLedger raw;
};

}  // namespace

TEST_CASE("an event that is sent twice counts once, and another app may use the same id") {
  Page page;
  CHECK(page.tell({.id = "a"}));
  CHECK_FALSE(page.tell({.id = "a"}));
  CHECK_FALSE(page.tell({.id = "a", .type = "denied"}));
  CHECK(page.tell({.id = "a", .app = 2}));
  CHECK(page.funnel("2026-11-22") == "1 0 0 0 0 0 0 0 0");
  CHECK(page.funnel("2026-11-22", "quick", "wx2") == "1 0 0 0 0 0 0 0 0");
}

TEST_CASE("the funnel counts each type of event by China's day and by kind") {
  Page page;
  int number = 0;
  auto const tell = [&](std::string const& type, int times, std::int64_t at, std::string const& kind) {
    for (int i = 0; i < times; ++i) {
      page.tell({.id = std::to_string(++number), .type = type, .at = at, .kind = kind});
    }
  };
  tell("tap", 7, noon, "quick");
  tell("issued", 5, noon, "quick");
  tell("denied", 4, noon, "quick");
  tell("no_quota", 3, noon, "quick");
  tell("privacy_denied", 2, noon, "quick");
  tell("fallback", 1, noon, "quick");
  tell("tap", 1, noon, "realtime");
  tell("tap", 1, noon + 12 * hour - 1, "quick");
  tell("tap", 1, noon + 12 * hour, "quick");
  tell("tap", 1, noon - 12 * hour - 1, "quick");
  CHECK(page.funnel("2026-11-22") == "8 5 4 3 2 0 0 1 0");
  CHECK(page.funnel("2026-11-22", "realtime") == "1 0 0 0 0 0 0 0 0");
  CHECK(page.funnel("2026-11-23") == "1 0 0 0 0 0 0 0 0");
  CHECK(page.funnel("2026-11-21") == "1 0 0 0 0 0 0 0 0");
  CHECK(page.raw.connection.integer("SELECT count(*) FROM v_funnel") == 4);
}

TEST_CASE("the funnel takes what became of codes from the ledger, by the day on which they came") {
  Page page;
  int code = 0;
  for (std::string const state :
       {"sending", "retryable", "ok", "ok", "rejected", "in_doubt", "lost", "free"}) {
    page.present(++code, noon + 12 * hour - 1, true, state);
  }
  page.present(++code, noon + 12 * hour, true, "ok");
  page.present(++code, noon + 36 * hour, true);
  CHECK(page.funnel("2026-11-22") == "0 0 0 0 0 2 4 0 0");
  CHECK(page.funnel("2026-11-23") == "0 0 0 0 0 1 0 0 0");
  CHECK(page.funnel("2026-11-24") == "0 0 0 0 0 0 0 0 0");
}

TEST_CASE("daily counts stay when single events are forgotten") {
  Page page;
  page.tell({.id = "a"});
  page.issue("b", 1);
  page.issue("c", 2, noon + day);
  page.settle(noon + 5 * minute);
  page.forget(noon);
  CHECK(page.raw.connection.integer("SELECT count(*) FROM event") == 3);
  page.forget(noon + 2 * day);
  // The last is not settled yet: what it counts is still to come.
  CHECK(page.raw.connection.text("SELECT group_concat(event_id) FROM event") == "c----------------");
  CHECK(page.funnel("2026-11-22") == "1 1 0 0 0 0 0 0 1");
  page.settle(noon + 2 * day);
  page.forget(noon + 2 * day);
  CHECK(page.raw.connection.integer("SELECT count(*) FROM event") == 0);
  CHECK(page.funnel("2026-11-23") == "0 1 0 0 0 0 0 0 1");
}

TEST_CASE("a code that is issued and never comes is settled after five minutes, once") {
  Page page;
  page.issue("came", 1);
  page.issue("came_later", 2);
  page.issue("never", 3);
  REQUIRE(page.tell({.id = "no_code", .type = "issued"}));
  REQUIRE(page.tell({.id = "not_issued", .type = "denied", .code = digest_of(4)}));
  page.present(1, noon - 100);
  page.settle(noon + 5 * minute - 1);
  CHECK(page.presented("came").empty());
  page.present(2, noon + 5 * minute - 1);
  page.settle(noon + 5 * minute);
  CHECK(page.presented("came") == "1");
  CHECK(page.presented("came_later") == "1");
  CHECK(page.presented("never") == "0");
  CHECK(page.presented("no_code").empty());
  CHECK(page.presented("not_issued").empty());
  CHECK(page.funnel("2026-11-22") == "0 4 1 0 0 0 0 0 1");
  page.settle(noon + hour);
  CHECK(page.funnel("2026-11-22") == "0 4 1 0 0 0 0 0 1");
}

TEST_CASE("where the page's clock runs ahead or behind, a code gets its five minutes all the same") {
  Page page;
  page.issue("ahead", 1, noon + 5 * minute, noon);
  page.issue("behind", 2, noon - 40 * minute, noon);
  page.settle(noon + 5 * minute - 1);
  CHECK(page.presented("behind").empty());
  page.settle(noon + 10 * minute - 1);
  CHECK(page.presented("ahead").empty());
  CHECK(page.presented("behind") == "0");
  page.present(1, noon + 9 * minute);
  page.settle(noon + 10 * minute);
  CHECK(page.presented("ahead") == "1");
}

TEST_CASE("an event that the page kept for long finds its code in the history") {
  Page page;
  std::int64_t const told = noon + day;
  // One code a minute for two days, long gone from live_code; a number names its minute.
  for (int number = 0; number < 2 * 24 * 60; ++number) {
    page.present(number, noon - day + number * minute, false);
  }
  int const issued_at = 24 * 60;  // noon
  page.issue("same_minute", issued_at, noon, told);
  page.issue("earlier", issued_at - 5, noon, told);
  page.issue("too_early", issued_at - 6, noon, told);
  page.issue("later", issued_at + 9, noon, told);
  page.issue("too_late", issued_at + 10, noon, told);
  page.issue("first", 0, noon - day, noon + 2 * day);
  page.issue("last", 2 * 24 * 60 - 1, noon + day, noon + 2 * day);
  page.issue("never", 9999, noon, told);
  page.issue("before_all", 9999, noon - 6 * day, told);
  page.settle(told + 5 * minute - 1);
  CHECK(page.presented("same_minute").empty());
  page.settle(noon + 3 * day);
  for (std::string const id : {"same_minute", "earlier", "later", "first", "last"}) {
    CAPTURE(id);
    CHECK(page.presented(id) == "1");
  }
  for (std::string const id : {"too_early", "too_late", "never", "before_all"}) {
    CAPTURE(id);
    CHECK(page.presented(id) == "0");
  }
}

TEST_CASE("an event of long ago whose code comes only now, by a wrong clock, finds it") {
  Page page;
  page.issue("wrong_clock", 1, noon - 3 * hour, noon);
  page.present(1, noon + minute);
  page.settle(noon + 5 * minute);
  CHECK(page.presented("wrong_clock") == "1");
}

TEST_CASE("the funnel tells of codes that never came once they are settled, as all other figures do") {
  Page page;
  std::int64_t const now = page.raw.connection.integer("SELECT unixepoch() * 1000");
  std::int64_t const at = now - 10 * minute;
  page.issue("never", 1, at, now);
  page.issue("came", 2, at, now);
  page.present(2, at);
  CHECK(page.raw.connection.integer("SELECT sum(never_presented) FROM v_funnel") == 0);
  page.settle(now + 5 * minute);
  CHECK(page.raw.connection.integer("SELECT sum(never_presented) FROM v_funnel") == 1);
}

TEST_CASE("snapshots and what events say never change, and counts only grow") {
  Page page;
  page.issue("a", 1);
  page.issue("b", 2);
  prepared(page.raw.connection, "insert_usage_snapshot").run({1, 10, 3, 1, nullptr, nullptr, noon});
  CHECK_FALSE(page.raw.takes("UPDATE usage_snapshot SET wx_used = 4"));
  CHECK_FALSE(page.raw.takes("DELETE FROM usage_snapshot"));
  for (std::string const change : {"id = 99", "app = 2", "event_id = 'another-id-of-16'", "type = 'tap'",
                                   "kind = 'realtime'", "errno = 1", "code_key = randomblob(32)",
                                   "scene = 'x'", "client_env = 'preview'", "at = 1", "received_at = 1"}) {
    CAPTURE(change);
    CHECK_FALSE(page.raw.takes("UPDATE event SET " + change + " WHERE id = 1"));
  }
  CHECK_FALSE(page.raw.takes("DELETE FROM event WHERE id = 1"));
  page.present(1, noon);
  CHECK_FALSE(page.raw.takes("UPDATE event SET consumption = 1 WHERE id = 1"));
  CHECK_FALSE(page.raw.takes("UPDATE event SET presented = 0, consumption = 1 WHERE id = 1"));
  CHECK(page.raw.takes("UPDATE event SET presented = 0 WHERE id = 1"));
  CHECK_FALSE(page.raw.takes("UPDATE event SET consumption = 1 WHERE id = 1"));
  CHECK_FALSE(page.raw.takes("UPDATE event SET presented = 1 WHERE id = 1"));
  CHECK_FALSE(page.raw.takes("UPDATE event SET presented = NULL WHERE id = 1"));
  CHECK(page.raw.takes("DELETE FROM event WHERE id = 1"));
  CHECK_FALSE(
      page.raw.takes("INSERT INTO event (app, event_id, type, kind, code_key, presented, client_env, at,"
                     " received_at) VALUES (1, 'another-id-of-16', 'issued', 'quick', zeroblob(32), 0,"
                     " 'release', 5, 5)"));
  CHECK_FALSE(page.raw.takes("DELETE FROM event_daily"));
  CHECK_FALSE(page.raw.takes("UPDATE event_daily SET events = events - 1"));
  CHECK_FALSE(page.raw.takes("UPDATE event_daily SET day = '2026-01-01'"));
}

TEST_CASE("a scene shows the codes it issued beside those that came of it") {
  Page page;
  page.present(1, noon, true, "ok");
  page.present(2, noon, true, "lost");
  page.tell({.id = "a", .type = "issued", .scene = "order"});
  page.tell({.id = "b", .type = "issued", .scene = "order"});
  page.tell({.id = "c", .type = "issued", .scene = "order"});
  page.tell({.id = "d", .type = "tap", .scene = "order"});
  page.tell({.id = "e", .type = "issued", .scene = "profile", .client_env = "preview"});
  page.present(3, noon + 12 * hour, true, "ok");
  auto const lines = [&] {
    return page.raw.connection.text(
        "SELECT group_concat(line, '; ') FROM (SELECT day || ' ' || scene || ' ' || client_env || ' ' ||"
        " coalesce(issued, 'unknown') || ' ' || ok || ' ' || lost || ' ' || amount_yuan AS line"
        " FROM v_scenes ORDER BY day, scene)");
  };
  CHECK(lines() ==
        "2026-11-22 order release 3 1 1 0.06; 2026-11-22 profile preview 1 0 0 0.0; "
        "2026-11-23 order release unknown 1 0 0.03");
}

TEST_CASE("WeChat's figure of a pack is judged beside ours") {
  struct Case {
    std::int64_t units, wx_all, wx_used, before, used, lost, doubt, unexplained;
    std::string verdict;
  };
  std::vector<Case> const cases{
      {1000, 1000, 0, 0, 0, 0, 0, 0, "AGREES"},
      {1000, 1000, 17, 4, 10, 3, 0, 0, "AGREES"},
      {1000, 1000, 17, 4, 10, 3, 2, 0, "EXPLAINED_BY_DOUBT"},
      {1000, 1000, 18, 4, 10, 3, 2, 0, "EXPLAINED_BY_DOUBT"},
      {1000, 1000, 19, 4, 10, 3, 2, 0, "EXPLAINED_BY_DOUBT"},
      {1000, 1000, 20, 4, 10, 3, 2, 1, "WECHAT_COUNTS_MORE"},
      {1000, 1000, 18, 4, 10, 3, 0, 1, "WECHAT_COUNTS_MORE"},
      {1000, 1000, 16, 4, 10, 3, 0, -1, "WE_COUNT_MORE"},
      {1000, 1000, 15, 4, 10, 3, 9, -2, "WE_COUNT_MORE"},
      {1000, 999, 17, 4, 10, 3, 0, 0, "SIZE_MISMATCH"},
      {1000, 1001, 20, 4, 10, 3, 2, 1, "SIZE_MISMATCH"},
      {1000, 1001, 15, 4, 10, 3, 9, -2, "SIZE_MISMATCH"},
  };
  for (Case const& known : cases) {
    CAPTURE(known.verdict);
    CAPTURE(known.wx_used);
    RawLedger raw;
    storage::Connection& connection = raw.connection;
    storage::Statement pack(connection,
                            "INSERT INTO pack (app, kind, source, wx_pkg_id, units, created_at)"
                            " VALUES (1, 'quick', 'paid', 'ZY2823973277692477440', ?1, 0)");
    pack.run({known.units});
    storage::Statement balance(connection, "INSERT INTO pack_balance VALUES (2, ?1, ?2, 0)");
    balance.run({"before", known.before});
    balance.run({"used", known.used});
    balance.run({"lost", known.lost});
    balance.run({"doubt", known.doubt});
    CHECK(connection.integer("SELECT count(*) FROM v_reconciliation") == 0);
    prepared(connection, "insert_usage_snapshot")
        .run({2, known.wx_all, known.wx_used, 1, nullptr, nullptr, noon});
    std::string const expected = "wx1 quick ZY2823973277692477440 2026-11-22T04:00:00Z " +
                                 std::to_string(known.wx_all) + " " + std::to_string(known.wx_used) +
                                 " 4 10 3 " + std::to_string(known.doubt) + " " +
                                 std::to_string(known.unexplained) + " " + known.verdict;
    if (known.used == 0) {
      CHECK(connection.text("SELECT verdict FROM v_reconciliation") == known.verdict);
      continue;
    }
    CHECK(connection.text("SELECT app_id || ' ' || kind || ' ' || wx_pkg_id || ' ' || as_of || ' ' || wx_all"
                          " || ' ' || wx_used || ' ' || used_before || ' ' || our_used || ' ' || our_lost ||"
                          " ' ' || our_doubt || ' ' || unexplained || ' ' || verdict"
                          " FROM v_reconciliation") == expected);
  }
}

TEST_CASE("figures are compared as of WeChat's answer, with what is known today of the codes before it") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  namespace admin = core::admin;
  auto const act = [&](decltype(admin::Command::act) what) {
    admin::Command command{.act = std::move(what), .at = tested.now()};
    REQUIRE(await(tested.loop(), tested.thread().administer(std::move(command))).has_value());
  };
  admin::AddPack pack;
  pack.appid = "wx0000000000000001";
  pack.units = 100;
  pack.wx_pkg_id = "ZY1";
  act(pack);
  auto const snapshot = [&](std::int64_t wx_used) {
    storage::Connection connection(tested.path(), storage::Access::read_write);
    prepared(connection, "insert_usage_snapshot")
        .run({connection.integer("SELECT id FROM pack WHERE wx_pkg_id = 'ZY1'"), 100, wx_used, 1, nullptr,
              nullptr, core::unix_ms(tested.now())});
  };
  auto const line = [&] {
    storage::Connection connection(tested.path(), storage::Access::read_only);
    return connection.text(
        "SELECT wx_used || ' ' || our_used || ' ' || our_lost || ' ' || our_doubt || ' ' || unexplained ||"
        " ' ' || verdict FROM v_reconciliation");
  };
  auto const doubt = [&](int code) {
    core::AttemptId const attempt = speaker.started(code, caller(1));
    speaker.settle_as(attempt, State::in_doubt, Cause::timeout);
    return attempt.consumption;
  };

  speaker.settle_ok(speaker.started(1, caller(1)));
  std::int64_t const doubtful = doubt(2);
  core::AttemptId const under_way = speaker.started(3, caller(1));
  snapshot(3);
  CHECK(line() == "3 1 0 1 1 WECHAT_COUNTS_MORE");  // the code under way is counted by WeChat alone
  tested.pass(core::milliseconds(1));

  // What came after the answer is not in it.
  speaker.settle_ok(speaker.started(4, caller(1)));
  doubt(5);
  CHECK(line() == "3 1 0 1 1 WECHAT_COUNTS_MORE");
  speaker.settle_ok(under_way);
  CHECK(line() == "3 2 0 1 0 EXPLAINED_BY_DOUBT");
  act(admin::Resolve{.consumption = doubtful, .as = State::lost, .note = "charged"});
  CHECK(line() == "3 2 1 0 0 AGREES");

  snapshot(5);
  CHECK(line() == "5 3 1 1 0 EXPLAINED_BY_DOUBT");
  CHECK(tested.violations().empty());
}

TEST_CASE("of later codes those of the same pack are left out, and after its end there are none") {
  RawLedger raw;
  raw.connection.run(
      "INSERT INTO pack (app, kind, source, wx_pkg_id, units, ends_at, created_at)"
      " VALUES (1, 'quick', 'paid', 'ZY1', 10, 4, 0);"
      "INSERT INTO pack_balance VALUES (2, 'used', 3, 0)");
  raw.consumption_in("ok");  // on the overdraft
  raw.connection.run("UPDATE consumption SET state = 'ok', finished_at = 9, micro_yuan = 0, pack = 2" +
                     of(raw.consumption_in("sending")));
  // Both codes came at 5.
  prepared(raw.connection, "insert_usage_snapshot").run({2, 10, 3, 1, nullptr, 4, 3});
  CHECK(raw.connection.integer("SELECT our_used FROM v_reconciliation") == 2);
  prepared(raw.connection, "insert_usage_snapshot").run({2, 10, 3, 3, nullptr, 4, 4});
  CHECK(raw.connection.integer("SELECT our_used FROM v_reconciliation") == 3);
}

}  // namespace onetap::tests
