#include "storage/migrate.hpp"

#include <array>
#include <vector>

#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

// The migration to version n is the element n - 1.
constexpr std::array<std::string_view, ledger_schema_version> migrations{
    "001_ledger.sql",      "002_observations.sql",  "003_sessions.sql", "004_access_token.sql",
    "005_code_traces.sql", "006_pack_openings.sql", "007_alarms.sql",   "008_wechat_word.sql"};

// Out of the way before the tables change: SQLite checks views when a table is renamed.
void drop_views(Connection& connection) {
  std::vector<std::string> names;
  Statement views(connection, "SELECT v.name FROM sqlite_schema AS v WHERE v.type = 'view'");
  {
    Rows rows = views.query({});
    while (rows.next()) names.push_back(rows.text(0));
  }
  for (std::string const& name : names) connection.run("DROP VIEW \"" + name + "\"");
}

}  // namespace

std::optional<std::string> check_schema(Connection& connection) {
  std::int64_t const application_id = connection.integer("PRAGMA application_id");
  std::int64_t const version = connection.integer("PRAGMA user_version");
  std::int64_t const objects = connection.integer("SELECT count(*) FROM sqlite_schema");
  if (application_id == 0 && version == 0 && objects == 0) return std::nullopt;
  if (application_id != ledger_application_id) return "it is an SQLite database of another program";
  if (version > ledger_schema_version) {
    return "it was written by a newer onetap (schema " + std::to_string(version) + ", this one knows " +
           std::to_string(ledger_schema_version) + "): use that version, or a backup from before it";
  }
  return std::nullopt;
}

void migrate(Connection& connection, int version) {
  auto done = static_cast<std::size_t>(connection.integer("PRAGMA user_version"));
  for (; done < static_cast<std::size_t>(version); ++done) {
    Transaction transaction(connection);
    drop_views(connection);
    connection.run(std::string(sql_file(migrations.at(done))));
    if (done + 1 == migrations.size()) connection.run(std::string(sql_file("views.sql")));
    connection.run("PRAGMA application_id = " + std::to_string(ledger_application_id));
    connection.run("PRAGMA user_version = " + std::to_string(done + 1));
    transaction.commit();
  }
}

}  // namespace onetap::storage
