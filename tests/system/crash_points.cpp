// Linked into onetap_crash only: ends the process by SIGKILL at a named point of SQLite's work, so that the
// server's own code needs no hooks. CRASH_AT=POINT:N:FILE arms it: while FILE exists, the N-th passing of
// POINT is the last thing the process does.
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

struct Armed {
  std::string point;
  int countdown = 0;
  std::string file;
  // Of the transaction under way.
  bool wrote_intent = false;
  bool wrote_outcome = false;
  bool in_recovery = false;
};

Armed& armed() {
  static Armed state;
  return state;
}

void pass(std::string_view point) {
  Armed& state = armed();
  if (state.point != point || ::access(state.file.c_str(), F_OK) != 0) return;
  if (--state.countdown == 0) ::kill(::getpid(), SIGKILL);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

int on_statement(unsigned /*type*/, void* /*context*/, void* statement, void* /*text*/) {
  char const* const sql_text = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
  if (sql_text == nullptr) return 0;
  std::string_view const sql = sql_text;
  Armed& state = armed();
  if (sql.starts_with("BEGIN")) {
    state.wrote_intent = false;
    state.wrote_outcome = false;
  }
  if (contains(sql, "INSERT INTO run")) state.in_recovery = true;
  if (state.in_recovery) pass("in-recovery");
  if (state.in_recovery && sql.starts_with("COMMIT")) state.in_recovery = false;
  if (contains(sql, "INSERT INTO live_code")) {
    state.wrote_intent = true;
    pass("inside-t1");
  }
  if (contains(sql, "UPDATE consumption") && contains(sql, "phone_mask")) {
    state.wrote_outcome = true;
    pass("before-t2");
  }
  if (contains(sql, "INSERT INTO entry")) pass("inside-t2");
  if (sql.starts_with("COMMIT") && (state.wrote_intent || state.wrote_outcome)) pass("at-commit");
  return 0;
}

int on_connection(sqlite3* database, char const** /*error*/, sqlite3_api_routines const* /*api*/) {
  return sqlite3_trace_v2(database, SQLITE_TRACE_STMT, on_statement, nullptr);
}

// SQLite's own, of which the two sorts of files have different ones.
sqlite3_io_methods const* log_methods = nullptr;
sqlite3_io_methods const* database_methods = nullptr;

int write_log(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
  if (armed().wrote_intent || armed().wrote_outcome) pass("writing-the-log");
  return log_methods->xWrite(file, bytes, size, offset);
}

int sync_log(sqlite3_file* file, int flags) {
  int const result = log_methods->xSync(file, flags);
  if (armed().wrote_intent) pass("t1-durable");
  if (armed().wrote_outcome) pass("t2-durable");
  return result;
}

// Pages go into the database itself in a checkpoint only.
int write_database(sqlite3_file* file, void const* bytes, int size, sqlite3_int64 offset) {
  pass("in-checkpoint");
  return database_methods->xWrite(file, bytes, size, offset);
}

sqlite3_vfs* real_vfs = nullptr;

int open_file(sqlite3_vfs* /*vfs*/, char const* name, sqlite3_file* file, int flags, int* flags_out) {
  static sqlite3_io_methods watched_log;
  static sqlite3_io_methods watched_database;
  int const result = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);
  if (result != SQLITE_OK) return result;
  if ((flags & SQLITE_OPEN_WAL) != 0) {
    log_methods = file->pMethods;
    watched_log = *log_methods;
    watched_log.xWrite = write_log;
    watched_log.xSync = sync_log;
    file->pMethods = &watched_log;
  }
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
    database_methods = file->pMethods;
    watched_database = *database_methods;
    watched_database.xWrite = write_database;
    file->pMethods = &watched_database;
  }
  return SQLITE_OK;
}

bool arm() {
  char const* const text = std::getenv("CRASH_AT");
  if (text == nullptr) return false;
  std::string_view const spec = text;
  auto const first = spec.find(':');
  auto const second = spec.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) std::abort();
  Armed& state = armed();
  state.point = spec.substr(0, first);
  std::from_chars(spec.data() + first + 1, spec.data() + second, state.countdown);
  state.file = spec.substr(second + 1);

  sqlite3_initialize();
  real_vfs = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs vfs = *real_vfs;
  vfs.zName = "onetap-crash";
  vfs.pNext = nullptr;
  vfs.xOpen = open_file;
  sqlite3_vfs_register(&vfs, 1);
  // SQLite's own signature for it.
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(on_connection));
  return true;
}

[[maybe_unused]] bool const is_armed = arm();

}  // namespace
