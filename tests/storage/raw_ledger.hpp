#pragma once

#include <string>
#include <string_view>

#include "storage/migrate.hpp"
#include "storage/sqlite.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::tests {

/// A new ledger's schema with one app, its packs and two runs, spoken to in SQL.
class RawLedger {
 public:
  RawLedger() : connection(folder_ / "raw.db", storage::Access::read_write) {
    storage::migrate(connection);
    connection.run(
        "INSERT INTO meta VALUES (1, 'real', zeroblob(32), zeroblob(69), 600000, 0, NULL);"
        "INSERT INTO run (pid, started_at, ended_at) VALUES (1, 0, 1), (2, 2, NULL);"
        "INSERT INTO app (appid) VALUES ('wx1');"
        "INSERT INTO pack (app, kind, source, units, created_at) VALUES (1, 'quick', 'overdraft', 0, 0)");
  }

  /// Whether the database takes these statements; when not, it is as it was.
  bool takes(std::string const& sql) {
    connection.run("SAVEPOINT trial");
    try {
      connection.run(sql);
      connection.run("RELEASE trial");
      return true;
    } catch (storage::SqliteError const& error) {
      connection.run("ROLLBACK TO trial; RELEASE trial");
      if (!error.is_constraint()) throw;
      return false;
    }
  }

  /// A new consumption, brought to `state` the way the table allows. Its id.
  std::int64_t consumption_in(std::string_view state) {
    connection.run(
        "INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at,"
        " request_id, code_key, client_env, created_at)"
        " VALUES (1, 'quick', 'exchange', 'sending', '', 1, 2, 5, 'r', randomblob(32), 'release', 5)");
    std::int64_t const id = connection.last_insert_rowid();
    if (state == "lost" || state == "free") connection.run(update(id, "sending", "in_doubt"));
    if (state != "sending") {
      connection.run(update(id, state == "lost" || state == "free" ? "in_doubt" : "sending", state));
    }
    return id;
  }

  /// The update that brings a consumption from one state to another, with everything else as that asks.
  static std::string update(std::int64_t id, std::string_view from, std::string_view to) {
    std::string set = "state = '" + std::string(to) + "'";
    if (to == "sending") {
      set += ", cause = '', attempts = attempts + 1, finished_at = NULL, pack = NULL, micro_yuan = NULL";
    } else if (to == "rejected") {
      set += ", cause = '', finished_at = 9, pack = NULL, micro_yuan = NULL";
    } else if (to == "retryable") {
      set += ", cause = 'rate_limited', finished_at = 9, pack = NULL, micro_yuan = NULL";
    } else if (to == "ok") {
      set += ", cause = '', finished_at = 9, pack = 1, micro_yuan = 30000";
      if (from == "in_doubt") set += ", path = 'rescue'";
    } else if (to == "in_doubt") {
      set += ", finished_at = 9, pack = 1, micro_yuan = 30000, cause = ";
      set += from == "retryable" ? "'abandoned'" : "'timeout'";
    } else {
      set += ", finished_at = 9, pack = 1, micro_yuan = 30000";
      if (from != "in_doubt" && from != "lost" && from != "free") set += ", cause = 'timeout'";
    }
    return "UPDATE consumption SET " + set + " WHERE id = " + std::to_string(id);
  }

 private:
  TempFolder folder_;

 public:
  storage::Connection connection;
};

}  // namespace onetap::tests
