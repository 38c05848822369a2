#include "storage/token_table.hpp"

#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

std::string_view token_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("tokens.sql"));
  return statements.at(name);
}

}  // namespace

TokenTable::TokenTable(Connection& connection)
    : connection_(connection), put_(connection, token_sql("put_token")) {}

void TokenTable::put(core::StoredToken const& token, std::int64_t app) {
  put_.run({app, core::row_of_app(token.appid), token.sealed_token, core::unix_ms(token.expires)});
}

std::vector<core::StoredToken> TokenTable::load(core::WallTime now) {
  std::vector<core::StoredToken> tokens;
  Statement list(connection_, token_sql("list_tokens"));
  Rows rows = list.query({core::unix_ms(now)});
  while (rows.next()) {
    tokens.push_back({.appid = rows.text(0),
                      .sealed_token = rows.bytes(1),
                      .expires = core::wall_time_of_unix_ms(rows.integer(2))});
  }
  return tokens;
}

}  // namespace onetap::storage
