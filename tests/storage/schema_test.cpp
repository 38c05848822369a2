#include <doctest/doctest.h>

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/embedded_sql.hpp"
#include "tests/storage/raw_ledger.hpp"

namespace onetap::tests {
namespace {

constexpr std::array<std::string_view, 7> states{"sending",  "ok",   "rejected", "retryable",
                                                 "in_doubt", "lost", "free"};

std::string of(std::int64_t id) { return " WHERE id = " + std::to_string(id); }

}  // namespace

TEST_CASE("a consumption changes its state as the table allows, and in no other way") {
  std::set<std::pair<std::string_view, std::string_view>> const allowed{
      {"sending", "sending"},  {"sending", "ok"},        {"sending", "rejected"},   {"sending", "retryable"},
      {"sending", "in_doubt"}, {"retryable", "sending"}, {"retryable", "in_doubt"}, {"in_doubt", "ok"},
      {"in_doubt", "lost"},    {"in_doubt", "free"}};
  RawLedger raw;
  for (std::string_view const from : states) {
    for (std::string_view const to : states) {
      CAPTURE(from);
      CAPTURE(to);
      std::int64_t const id = raw.consumption_in(from);
      // To stay in a state is no transition, unless it is the next attempt: something else has to move.
      std::string const change = from == to && from != "sending"
                                     ? "UPDATE consumption SET errcode = 7" + of(id)
                                     : RawLedger::update(id, from, to);
      CHECK(raw.takes(change) == allowed.contains({from, to}));
    }
  }
}

TEST_CASE("a transition in the table still needs its own cause, path and attempt") {
  RawLedger raw;
  SUBCASE("only what was retryable can be abandoned") {
    std::int64_t const id = raw.consumption_in("sending");
    CHECK_FALSE(
        raw.takes("UPDATE consumption SET state = 'in_doubt', cause = 'abandoned', pack = 1,"
                  " micro_yuan = 1, finished_at = 9" +
                  of(id)));
  }
  SUBCASE("what was retryable is in doubt for no other cause") {
    std::int64_t const id = raw.consumption_in("retryable");
    CHECK_FALSE(
        raw.takes("UPDATE consumption SET state = 'in_doubt', cause = 'timeout', pack = 1,"
                  " micro_yuan = 1, finished_at = 9" +
                  of(id)));
  }
  SUBCASE("a retryable code is sent again as the next attempt only") {
    std::int64_t const id = raw.consumption_in("retryable");
    CHECK_FALSE(
        raw.takes("UPDATE consumption SET state = 'sending', cause = '', finished_at = NULL" + of(id)));
    CHECK_FALSE(
        raw.takes("UPDATE consumption SET state = 'sending', cause = '', finished_at = NULL,"
                  " attempts = attempts + 2" +
                  of(id)));
  }
  SUBCASE("doubt ends in ok by rescue only, and at the amount it was booked at") {
    std::int64_t const id = raw.consumption_in("in_doubt");
    CHECK_FALSE(raw.takes("UPDATE consumption SET state = 'ok', cause = ''" + of(id)));
    CHECK_FALSE(raw.takes("UPDATE consumption SET state = 'lost', micro_yuan = 1" + of(id)));
  }
  SUBCASE("no attempt is counted while an outcome is written") {
    std::int64_t const id = raw.consumption_in("sending");
    CHECK_FALSE(raw.takes(
        RawLedger::update(id, "sending", "ok").replace(0, 22, "UPDATE consumption SET attempts = 9, ")));
  }
}

TEST_CASE("a consumption begins as sending, or as legacy data decrypted") {
  RawLedger raw;
  std::string const columns =
      "INSERT INTO consumption (app, kind, run, attempt_opened_at, request_id, client_env, created_at,"
      " path, state, cause, attempts, code_key, pack, micro_yuan, finished_at)"
      " VALUES (1, 'quick', 2, 5, 'r', 'release', 5, ";
  CHECK(raw.takes(columns + "'exchange', 'sending', '', 1, zeroblob(32), NULL, NULL, NULL)"));
  CHECK(raw.takes(columns + "'legacy', 'ok', '', 0, NULL, 1, 30000, 9)"));
  CHECK_FALSE(raw.takes(columns + "'exchange', 'sending', '', 2, zeroblob(32), NULL, NULL, NULL)"));
  CHECK_FALSE(raw.takes(columns + "'exchange', 'sending', '', 1, NULL, NULL, NULL, NULL)"));
  CHECK_FALSE(raw.takes(columns + "'exchange', 'ok', '', 1, zeroblob(32), 1, 30000, 9)"));
  CHECK_FALSE(raw.takes(columns + "'exchange', 'in_doubt', 'timeout', 1, zeroblob(32), 1, 30000, 9)"));
  CHECK_FALSE(raw.takes(columns + "'rescue', 'ok', '', 1, zeroblob(32), 1, 30000, 9)"));
}

TEST_CASE("what points at a person can be erased from a finished consumption, never set or moved") {
  RawLedger raw;
  std::int64_t const id = raw.consumption_in("sending");
  raw.connection.run(
      "UPDATE consumption SET state = 'ok', finished_at = 9, pack = 1, micro_yuan = 1,"
      " phone_mask = '138****8000', phone_key = zeroblob(32)" +
      of(id));
  CHECK_FALSE(raw.takes("UPDATE consumption SET phone_mask = '139****9000'" + of(id)));
  CHECK_FALSE(raw.takes("UPDATE consumption SET user_key = zeroblob(32)" + of(id)));
  CHECK(raw.takes("UPDATE consumption SET phone_mask = NULL, phone_key = NULL, user_key = NULL" + of(id)));
  CHECK_FALSE(raw.takes("UPDATE consumption SET phone_mask = '138****8000'" + of(id)));
}

TEST_CASE("what a consumption is never changes, and it is never deleted") {
  RawLedger raw;
  std::int64_t const id = raw.consumption_in("in_doubt");
  for (std::string const change :
       {"id = 99", "app = 1", "kind = 'realtime'", "request_id = 'x'", "code_key = randomblob(32)",
        "scene = 'x'", "out_id = 'x'", "client_env = 'preview'", "created_at = 1"}) {
    CAPTURE(change);
    CHECK_FALSE(raw.takes("UPDATE consumption SET " + change + of(id)));
  }
  CHECK_FALSE(raw.takes("DELETE FROM consumption" + of(id)));
}

TEST_CASE("attempts and entries are append-only") {
  RawLedger raw;
  std::int64_t const id = raw.consumption_in("sending");
  raw.connection.run(
      "INSERT INTO attempt (consumption, number, run, cause, opened_at, closed_at)"
      " VALUES (" +
      std::to_string(id) +
      ", 1, 2, 'not_sent', 5, 6);"
      "INSERT INTO entry (kind, pack, from_account, to_account, units, micro_yuan, at)"
      " VALUES ('purchase', 1, 'source', 'available', 10, 100, 5)");
  CHECK_FALSE(raw.takes("UPDATE attempt SET errcode = 1"));
  CHECK_FALSE(raw.takes("DELETE FROM attempt"));
  CHECK_FALSE(raw.takes("UPDATE entry SET units = 11"));
  CHECK_FALSE(raw.takes("DELETE FROM entry"));
}

TEST_CASE("what is never changed is not replaced, either") {
  RawLedger raw;
  std::int64_t const id = raw.consumption_in("in_doubt");
  std::string const consumption = std::to_string(id);
  raw.connection.run(
      "INSERT INTO attempt (id, consumption, number, run, cause, opened_at, closed_at)"
      " VALUES (1, " +
      consumption +
      ", 1, 2, 'not_sent', 5, 6);"
      "INSERT INTO entry (id, kind, pack, from_account, to_account, units, micro_yuan, at)"
      " VALUES (1, 'purchase', 1, 'source', 'available', 10, 100, 5);"
      "INSERT INTO erasure VALUES (1, 'phone', 1, 5);"
      "INSERT INTO key_rotation VALUES (1, zeroblob(8), 5);"
      "INSERT INTO usage_snapshot VALUES (1, 1, 10, 3, NULL, NULL, NULL, 5, 0)");
  std::vector<std::string> const rows{
      "consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, request_id, code_key,"
      " client_env, created_at, id)"
      " VALUES (1, 'quick', 'exchange', 'sending', '', 1, 2, 5, 'r', zeroblob(32), 'release', 5, ",
      "attempt (consumption, number, run, cause, opened_at, closed_at, id)"
      " VALUES (" +
          consumption + ", 2, 2, 'not_sent', 5, 6, ",
      "entry (kind, pack, from_account, to_account, units, micro_yuan, at, id)"
      " VALUES ('purchase', 1, 'source', 'available', 1, 1, 5, ",
      "erasure (by, consumptions, at, id) VALUES ('user', 0, 5, ",
      "key_rotation (key_id, at, id) VALUES (zeroblob(8), 6, ",
      "usage_snapshot (pack, wx_all, wx_used, as_of, last_consumption, id) VALUES (1, 10, 4, 6, 0, "};
  for (std::string const& row : rows) {
    CAPTURE(row);
    CHECK_FALSE(raw.takes("INSERT OR REPLACE INTO " + row + "1)"));
    CHECK(raw.takes("INSERT OR REPLACE INTO " + row + "NULL)"));
  }
  CHECK_FALSE(
      raw.takes("REPLACE INTO attempt (consumption, number, run, cause, opened_at, closed_at)"
                " VALUES (" +
                consumption + ", 1, 2, 'rate_limited', 5, 6)"));
}

TEST_CASE("an entry moves units between the accounts that its kind names") {
  RawLedger raw;
  std::string const id = std::to_string(raw.consumption_in("in_doubt"));
  auto const entry = [&](std::string const& kind, std::string const& from, std::string const& to,
                         std::string const& consumption, std::string const& note) {
    return "INSERT INTO entry (kind, pack, consumption, from_account, to_account, units, micro_yuan, note, "
           "at)"
           " VALUES ('" +
           kind + "', 1, " + consumption + ", '" + from + "', '" + to + "', 1, 30000, " + note + ", 5)";
  };
  CHECK(raw.takes(entry("use", "source", "used", id, "NULL")));
  CHECK(raw.takes(entry("doubt", "available", "doubt", id, "NULL")));
  CHECK(raw.takes(entry("resolve_lost", "doubt", "lost", id, "'why'")));
  CHECK(raw.takes(entry("leak", "available", "lost", "NULL", "'why'")));
  CHECK_FALSE(raw.takes(entry("leak", "available", "lost", "NULL", "NULL")));
  CHECK_FALSE(raw.takes(entry("use", "source", "used", "NULL", "NULL")));
  CHECK_FALSE(raw.takes(entry("use", "doubt", "used", id, "NULL")));
  CHECK_FALSE(raw.takes(entry("doubt", "available", "used", id, "NULL")));
  CHECK_FALSE(raw.takes(entry("resolve_used", "available", "used", id, "NULL")));
  CHECK_FALSE(raw.takes(entry("purchase", "available", "available", "NULL", "NULL")));
  CHECK_FALSE(raw.takes(entry("gift", "source", "available", "NULL", "NULL")));
}

TEST_CASE("the schema keeps to STRICT tables, and only consumption has a state") {
  RawLedger raw;
  CHECK(raw.connection.integer("SELECT count(*) FROM pragma_table_list AS t"
                               " WHERE t.schema = 'main' AND t.type = 'table' AND t.strict = 0"
                               " AND t.name NOT LIKE 'sqlite_%'") == 0);
  CHECK(raw.connection.text("SELECT group_concat(t.name) FROM pragma_table_list AS t"
                            " JOIN pragma_table_info(t.name) AS c ON c.name = 'state'"
                            " WHERE t.schema = 'main' AND t.type = 'table'") == "consumption");
  CHECK(raw.connection.integer("PRAGMA application_id") == storage::ledger_application_id);
  CHECK(raw.connection.integer("PRAGMA user_version") == storage::ledger_schema_version);
}

TEST_CASE("migrating a ledger of this schema changes nothing") {
  RawLedger raw;
  std::int64_t const before = raw.connection.integer("PRAGMA schema_version");
  storage::migrate(raw.connection);
  CHECK(raw.connection.integer("PRAGMA schema_version") == before);
}

TEST_CASE("a ledger of the first schema is brought up to date with all that is in it") {
  TempFolder folder;
  storage::Connection connection(folder / "old.db", storage::Access::read_write);
  connection.run(std::string(storage::sql_file("001_ledger.sql")));
  connection.run(
      "CREATE VIEW v_daily AS SELECT 1 AS another;"
      "INSERT INTO app (appid) VALUES ('wx1');"
      "PRAGMA user_version = 1; PRAGMA application_id = " +
      std::to_string(storage::ledger_application_id));
  CHECK_FALSE(storage::check_schema(connection).has_value());
  storage::migrate(connection);
  CHECK(connection.integer("PRAGMA user_version") == storage::ledger_schema_version);
  CHECK(connection.text("SELECT appid FROM app") == "wx1");
  CHECK(connection.integer("SELECT count(*) FROM v_daily") == 0);
  CHECK(connection.integer("SELECT count(*) FROM v_funnel") == 0);
}

TEST_CASE("named statements stand below their names") {
  auto const statements =
      storage::named_statements("-- first\n-- name: one\nSELECT 1;\n\n-- name: two\nSELECT 2;\n");
  REQUIRE(statements.size() == 2);
  CHECK(statements.at("one") == "SELECT 1;\n\n");
  CHECK(statements.at("two") == "SELECT 2;\n");
  CHECK_THROWS(static_cast<void>(storage::hot_sql("no_such_statement")));
}

}  // namespace onetap::tests
