#include "storage/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace onetap::storage {
namespace {

// How long an operator's write lock is waited for; there should be none.
constexpr int busy_timeout_ms = 2000;

int primary(int code) { return code & 0xff; }

[[noreturn]] void raise(sqlite3* handle) {
  throw SqliteError(sqlite3_extended_errcode(handle), sqlite3_errmsg(handle));
}

void check(sqlite3* handle, int result) {
  if (result != SQLITE_OK) raise(handle);
}

// A statement that writes (a PRAGMA that changes the journal does) commits behind its last row: that it
// failed is told there, and nowhere else.
void finish(Rows& rows) {
  while (rows.next()) {
  }
}

// SQLite's count of its own memory takes a lock at each allocation, and nobody reads it. Too late, where
// somebody has used SQLite before, is no harm.
void do_not_count_memory() {
  static int const done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(done);
}

// SQLite's own mode would be 0644. It gives WAL and shm the database's.
void make_private_file(std::filesystem::path const& path) {
  int const file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, ledger_file_mode);
  if (file >= 0) ::close(file);
}

}  // namespace

SqliteError::SqliteError(int code, std::string const& message)
    : std::runtime_error(message + " (SQLite " + std::to_string(code) + ")"), code_(code) {}

bool SqliteError::is_disk_full() const { return primary(code_) == SQLITE_FULL; }
bool SqliteError::is_busy() const { return primary(code_) == SQLITE_BUSY || primary(code_) == SQLITE_LOCKED; }
bool SqliteError::is_constraint() const { return primary(code_) == SQLITE_CONSTRAINT; }
bool SqliteError::is_not_a_database() const { return primary(code_) == SQLITE_NOTADB; }

void Connection::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void Connection::Finalizer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Connection::Connection(std::filesystem::path const& path, Access access) {
  do_not_count_memory();
  bool const writes = access == Access::read_write;
  if (writes) make_private_file(path);
  sqlite3* handle = nullptr;
  int const flags = (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int const result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (handle == nullptr) throw SqliteError(result, "out of memory");
  check(handle, result);
  check(handle, sqlite3_busy_timeout(handle, busy_timeout_ms));
  check(handle, sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr));
  check(handle, sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr));
  check(handle, sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr));
  run("PRAGMA trusted_schema = OFF");
  expect("trusted_schema", "0");
  if (writes) {
    set_up_writer();
  } else {
    check(handle, sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr));
    run("PRAGMA query_only = ON");
    expect("query_only", "1");
  }
}

void Connection::set_up_writer() {
  // journal_mode answers with a row, and reading it takes the first look at the file.
  if (std::string const mode = text("PRAGMA journal_mode = WAL"); mode != "wal") {
    throw SqliteError(SQLITE_ERROR, "no write-ahead log on this file system (journal mode " + mode + ")");
  }
  run("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
      "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384");
  expect("synchronous", "2");
  expect("foreign_keys", "1");
  expect("secure_delete", "1");
}

void Connection::expect(std::string_view pragma, std::string_view value) {
  std::string const found = text("PRAGMA " + std::string(pragma));
  if (found == value) return;
  throw SqliteError(SQLITE_ERROR,
                    "PRAGMA " + std::string(pragma) + " is " + found + ", not " + std::string(value));
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the database
void Connection::run(std::string const& sql) {
  check(handle(), sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr));
}

void Connection::run(Step step) {
  constexpr std::array<char const*, 4> statements{"BEGIN IMMEDIATE", "COMMIT", "SAVEPOINT command",
                                                  "RELEASE command"};
  auto const place = static_cast<std::size_t>(step);
  auto& prepared = steps_.at(place);
  if (!prepared) {
    sqlite3_stmt* statement = nullptr;
    check(handle(), sqlite3_prepare_v3(handle(), statements.at(place), -1, SQLITE_PREPARE_PERSISTENT,
                                       &statement, nullptr));
    prepared.reset(statement);
  }
  Rows rows(prepared.get());
  finish(rows);
}

std::int64_t Connection::integer(std::string_view sql) {
  Statement statement(*this, sql);
  Rows rows = statement.query({});
  if (!rows.next()) throw SqliteError(SQLITE_ERROR, "no row: " + std::string(sql));
  std::int64_t const value = rows.integer(0);
  finish(rows);
  return value;
}

std::string Connection::text(std::string_view sql) {
  Statement statement(*this, sql);
  Rows rows = statement.query({});
  if (!rows.next()) throw SqliteError(SQLITE_ERROR, "no row: " + std::string(sql));
  std::string value = rows.text(0);
  finish(rows);
  return value;
}

std::int64_t Connection::last_insert_rowid() const { return sqlite3_last_insert_rowid(handle()); }
std::int64_t Connection::changes() const { return sqlite3_changes64(handle()); }
bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle()) == 0; }

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the database
bool Connection::checkpoint_truncate() {
  check(handle(), sqlite3_busy_timeout(handle(), 0));
  int const result =
      sqlite3_wal_checkpoint_v2(handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  int const failure = result == SQLITE_OK ? SQLITE_OK : sqlite3_extended_errcode(handle());
  std::string const message = failure == SQLITE_OK ? std::string() : sqlite3_errmsg(handle());
  check(handle(), sqlite3_busy_timeout(handle(), busy_timeout_ms));
  if (primary(failure) == SQLITE_BUSY || primary(failure) == SQLITE_LOCKED) return false;
  if (failure != SQLITE_OK) throw SqliteError(failure, message);
  return true;
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes what closing does
void Connection::keep_log_files() {
  int keep = 1;
  int const result = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
  if (result != SQLITE_OK) throw SqliteError(result, "the write-ahead log cannot be kept");
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the WAL
void Connection::rewrite_log() {
  auto const expect_ok = [](int result) {
    if (result != SQLITE_OK) throw SqliteError(result, "the write-ahead log cannot be written anew");
  };
  sqlite3_file* log = nullptr;
  expect_ok(sqlite3_file_control(handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log)));
  if (log == nullptr || log->pMethods == nullptr) return;
  sqlite3_int64 size = 0;
  expect_ok(log->pMethods->xFileSize(log, &size));
  if (size == 0) return;
  constexpr sqlite3_int64 piece_bytes = 65'536;
  std::vector<unsigned char> piece(piece_bytes);
  for (sqlite3_int64 offset = 0; offset < size; offset += piece_bytes) {
    int const length = static_cast<int>(std::min(piece_bytes, size - offset));
    expect_ok(log->pMethods->xRead(log, piece.data(), length, offset));
    expect_ok(log->pMethods->xWrite(log, piece.data(), length, offset));
  }
  expect_ok(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

Parameter null_if_empty(std::string_view text) {
  if (text.empty()) return nullptr;
  return text;
}

Rows::~Rows() {
  // The failure of the last step, which next() has thrown already.
  static_cast<void>(sqlite3_reset(statement_));
  static_cast<void>(sqlite3_clear_bindings(statement_));
}

bool Rows::next() {
  int const result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  raise(sqlite3_db_handle(statement_));
}

ColumnType Rows::type(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER: return ColumnType::integer;
    case SQLITE_FLOAT: return ColumnType::real;
    case SQLITE_TEXT: return ColumnType::text;
    case SQLITE_BLOB: return ColumnType::bytes;
    default: return ColumnType::null;
  }
}

std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }

double Rows::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string Rows::text(int column) const {
  auto const* bytes = reinterpret_cast<char const*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::vector<unsigned char> Rows::bytes(int column) const {
  auto const* bytes = static_cast<unsigned char const*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, bytes + sqlite3_column_bytes(statement_, column)};
}

std::optional<std::int64_t> Rows::integer_or_none(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Statement::Statement(Connection& connection, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  check(connection.handle(), sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                                SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  statement_.reset(statement);
}

void Statement::bind(std::initializer_list<Parameter> parameters) {
  sqlite3_stmt* const statement = statement_.get();
  int index = 0;
  for (Parameter const& parameter : parameters) {
    ++index;
    int result = SQLITE_OK;
    switch (parameter.type()) {
      case Parameter::Type::null: result = sqlite3_bind_null(statement, index); break;
      case Parameter::Type::integer:
        result = sqlite3_bind_int64(statement, index, parameter.integer());
        break;
      case Parameter::Type::text:
        // A view of nothing is an empty text, not SQL's NULL.
        result =
            sqlite3_bind_text64(statement, index, parameter.text().empty() ? "" : parameter.text().data(),
                                parameter.text().size(), SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
      case Parameter::Type::bytes:
        result = sqlite3_bind_blob64(statement, index, parameter.bytes().data(), parameter.bytes().size(),
                                     SQLITE_TRANSIENT);
        break;
    }
    check(sqlite3_db_handle(statement), result);
  }
}

Rows Statement::query(std::initializer_list<Parameter> parameters) {
  bind(parameters);
  return Rows(statement_.get());
}

void Statement::run(std::initializer_list<Parameter> parameters) {
  Rows rows = query(parameters);
  while (rows.next()) {
  }
}

std::vector<std::string> Statement::column_names() const {
  std::vector<std::string> names;
  int const count = sqlite3_column_count(statement_.get());
  names.reserve(static_cast<std::size_t>(count));
  for (int column = 0; column < count; ++column)
    names.emplace_back(sqlite3_column_name(statement_.get(), column));
  return names;
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
  connection_.run(Connection::Step::begin);
}

Transaction::~Transaction() {
  // SQLite itself rolls back after some errors; a failing ROLLBACK leaves nothing to do but to go on.
  if (open_ && connection_.in_transaction()) {
    sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  connection_.run(Connection::Step::commit);
  open_ = false;
}

Savepoint::Savepoint(Connection& connection) : connection_(connection) {
  connection_.run(Connection::Step::savepoint);
}

Savepoint::~Savepoint() {
  if (open_ && connection_.in_transaction()) {
    sqlite3_exec(connection_.handle(), "ROLLBACK TO command; RELEASE command", nullptr, nullptr, nullptr);
  }
}

void Savepoint::release() {
  connection_.run(Connection::Step::release);
  open_ = false;
}

}  // namespace onetap::storage
