#include "storage/inspection.hpp"

#include <sqlite3.h>

#include "storage/embedded_sql.hpp"
#include "storage/migrate.hpp"
#include "storage/token_table.hpp"

namespace onetap::storage {
namespace {

std::string mode_in(Connection& connection) {
  Statement read(connection, hot_sql("read_meta"));
  Rows rows = read.query({});
  return rows.next() ? rows.text(0) : std::string();
}

LedgerFault::Kind kind_of(SqliteError const& error) {
  constexpr int primary_code = 0xff;  // the rest says more of it
  int const code = error.code() & primary_code;
  bool const is_refused = code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_PERM;
  return is_refused ? LedgerFault::Kind::no_access : LedgerFault::Kind::unreadable;
}

LedgerFault::Kind kind_of_schema(Connection& connection) {
  bool const is_ledger = connection.integer("PRAGMA application_id") == ledger_application_id;
  bool const is_newer = connection.integer("PRAGMA user_version") > ledger_schema_version;
  return is_ledger && is_newer ? LedgerFault::Kind::newer : LedgerFault::Kind::unreadable;
}

}  // namespace

core::Result<LedgerFacts, LedgerFault> inspect_ledger(std::filesystem::path const& path) {
  std::string const name = "the ledger " + path.string();
  try {
    Connection connection(path, Access::read_only);
    if (auto const wrong = check_schema(connection))
      return LedgerFault{.kind = kind_of_schema(connection), .sentence = name + " cannot be read: " + *wrong};
    LedgerFacts facts{.schema_version = connection.integer("PRAGMA user_version"),
                      .journal_mode = connection.text("PRAGMA journal_mode"),
                      .mode = {}};
    if (facts.schema_version > 0) facts.mode = mode_in(connection);
    return facts;
  } catch (SqliteError const& error) {
    return LedgerFault{.kind = kind_of(error), .sentence = name + " cannot be read: " + error.what()};
  }
}

std::vector<core::StoredToken> read_kept_tokens(std::filesystem::path const& path, core::WallTime now) {
  try {
    Connection connection(path, Access::read_only);
    if (connection.integer("PRAGMA user_version") != ledger_schema_version) return {};
    return TokenTable(connection).load(now);
  } catch (SqliteError const&) {
    return {};
  }
}

}  // namespace onetap::storage
