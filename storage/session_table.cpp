#include "storage/session_table.hpp"

#include <algorithm>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

namespace limits = core::limits;
using core::unix_ms;

std::string_view session_sql(std::string_view name) {
  static auto const statements = named_statements(sql_file("sessions.sql"));
  return statements.at(name);
}

// The schema knows its size.
core::Digest digest_in(Rows const& rows, int column) {
  core::Digest digest{};
  std::ranges::copy(rows.bytes(column), digest.begin());
  return digest;
}

}  // namespace

SessionTable::SessionTable(Connection& connection)
    : connection_(connection),
      insert_session_(connection, session_sql("insert_session")),
      touch_session_(connection, session_sql("touch_session")),
      delete_session_(connection, session_sql("delete_session")),
      put_key_(connection, session_sql("put_session_key")),
      delete_older_keys_(connection, session_sql("delete_older_session_keys")),
      list_keys_(connection, session_sql("list_session_keys")),
      delete_aged_sessions_(connection, session_sql("delete_aged_sessions")),
      delete_aged_keys_(connection, session_sql("delete_aged_session_keys")) {}

void SessionTable::add(core::LoginRow const& login, std::int64_t app) {
  core::SessionRow const& session = login.session;
  insert_session_.run({session.id.token_digest, app, session.user.digest, session.sealed_openid,
                       unix_ms(session.opened), unix_ms(session.used)});
  put_key_.run(
      {session.user.digest, login.session_key_digest, login.sealed_session_key, unix_ms(session.opened)});
  delete_older_keys_.run({session.user.digest});
}

void SessionTable::change(core::SessionChanges const& changes) {
  for (auto const& [id, used] : changes.used) touch_session_.run({id.token_digest, unix_ms(used)});
  for (core::SessionId const& id : changes.ended) delete_session_.run({id.token_digest});
}

std::vector<core::SealedBytes> SessionTable::keys_of(core::CallerKey const& user) {
  std::vector<core::SealedBytes> keys;
  Rows rows = list_keys_.query({user.digest});
  while (rows.next()) keys.push_back(rows.bytes(0));
  return keys;
}

std::vector<core::SessionRow> SessionTable::load(core::SessionLife life, core::WallTime now,
                                                 std::size_t sessions_max) {
  Statement delete_dead(connection_, session_sql("delete_dead_sessions"));
  delete_dead.run({unix_ms(now - life.idle), unix_ms(now - life.longest)});
  Statement delete_surplus(connection_, session_sql("delete_surplus_sessions"));
  delete_surplus.run({static_cast<std::int64_t>(sessions_max)});
  std::vector<core::SessionRow> sessions;
  Statement list(connection_, session_sql("list_sessions"));
  Rows rows = list.query({});
  while (rows.next()) {
    sessions.push_back({.id = {digest_in(rows, 0)},
                        .appid = rows.text(1),
                        .user = {digest_in(rows, 2)},
                        .sealed_openid = rows.bytes(3),
                        .opened = core::wall_time_of_unix_ms(rows.integer(4)),
                        .used = core::wall_time_of_unix_ms(rows.integer(5))});
  }
  return sessions;
}

bool SessionTable::delete_aged(core::SessionLife life, core::WallTime now, std::int64_t rows_max) {
  core::WallTime const oldest = now - life.longest;
  delete_aged_sessions_.run({unix_ms(oldest), rows_max});
  bool more = connection_.changes() == rows_max;
  delete_aged_keys_.run({unix_ms(oldest - limits::session_key_keep_beyond_session), rows_max});
  more = more || connection_.changes() == rows_max;
  return more;
}

}  // namespace onetap::storage
