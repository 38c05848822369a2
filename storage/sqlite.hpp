#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace onetap::storage {

/// SQLite refused something. Stays inside storage.
class SqliteError : public std::runtime_error {
 public:
  /// `code` is SQLite's extended result code.
  SqliteError(int code, std::string const& message);

  [[nodiscard]] int code() const { return code_; }
  /// There is no room: nothing of the transaction was written.
  [[nodiscard]] bool is_disk_full() const;
  /// Another connection holds a lock that this one needs: nothing was written.
  [[nodiscard]] bool is_busy() const;
  /// A CHECK, a key or a trigger refused one statement.
  [[nodiscard]] bool is_constraint() const;
  [[nodiscard]] bool is_not_a_database() const;

 private:
  int code_;
};

enum class Access { read_write, read_only };

/// What a new file of the ledger's may at most be: its owner's, and its group's to read. The umask takes
/// away.
inline constexpr unsigned ledger_file_mode = 0640;

/// One connection, for one thread. A writing one has WAL, synchronous=FULL, foreign keys, secure_delete
/// and an untrusted schema, each read back; a reading one can't write, nor checkpoint as it closes.
class Connection {
 public:
  /// Read-write makes the file when there is none: its owner's, and its group's to read where the umask lets
  /// it; nobody else's. Throws SqliteError.
  Connection(std::filesystem::path const& path, Access access);

  /// Runs one or more statements that yield no rows.
  void run(std::string const& sql);

  /// The first column of the first row of `sql`.
  [[nodiscard]] std::int64_t integer(std::string_view sql);
  [[nodiscard]] std::string text(std::string_view sql);

  [[nodiscard]] std::int64_t last_insert_rowid() const;
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] bool in_transaction() const;

  /// Copies the WAL into the database and truncates it; false when a reader stood in the way. Never waits.
  bool checkpoint_truncate();

  /// Writes the WAL anew as it reads, and syncs it. For the start: where a sync failed in an earlier run
  /// (or the process ended before one), Linux may show a WAL that is not on the disk and never will be by
  /// syncing alone. To be called before its pages go into the database. Throws SqliteError.
  void rewrite_log();

  /// Leaves the (empty) WAL and its index behind when this connection closes: who may only read, and not
  /// make files beside the database, can open it then as well. Throws SqliteError.
  void keep_log_files();

  /// What surrounds a batch and its commands; prepared once.
  enum class Step { begin, commit, savepoint, release };
  void run(Step step);

  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

 private:
  void set_up_writer();
  void expect(std::string_view pragma, std::string_view value);

  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3, Closer> handle_;
  std::array<std::unique_ptr<sqlite3_stmt, Finalizer>, 4> steps_;
};

/// A value for a statement's parameter; refers to text and bytes, which live until the call returns.
class Parameter {
 public:
  enum class Type { null, integer, text, bytes };

  Parameter(std::nullptr_t) {}                                                            // NOLINT
  Parameter(std::int64_t value) : type_(Type::integer), integer_(value) {}                // NOLINT
  Parameter(int value) : type_(Type::integer), integer_(value) {}                         // NOLINT
  Parameter(std::string_view text) : type_(Type::text), text_(text) {}                    // NOLINT
  Parameter(std::string const& text) : Parameter(std::string_view(text)) {}               // NOLINT
  Parameter(char const* text) : Parameter(std::string_view(text)) {}                      // NOLINT
  Parameter(std::span<unsigned char const> bytes) : type_(Type::bytes), bytes_(bytes) {}  // NOLINT
  Parameter(std::vector<unsigned char> const& bytes)
      : Parameter(std::span<unsigned char const>(bytes)) {}  // NOLINT
  Parameter(std::array<unsigned char, 32> const& digest)
      : Parameter(std::span<unsigned char const>(digest)) {}  // NOLINT
  template <class Value>
  Parameter(std::optional<Value> const& value) {  // NOLINT
    if (value) *this = Parameter(*value);
  }

  [[nodiscard]] Type type() const { return type_; }
  [[nodiscard]] std::int64_t integer() const { return integer_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::span<unsigned char const> bytes() const { return bytes_; }

 private:
  Type type_ = Type::null;
  std::int64_t integer_ = 0;
  std::string_view text_;
  std::span<unsigned char const> bytes_;
};

/// NULL for empty text.
[[nodiscard]] Parameter null_if_empty(std::string_view text);

enum class ColumnType { null, integer, real, text, bytes };

/// The rows of one execution; the statement is ready for the next one when this goes.
class Rows {
 public:
  explicit Rows(sqlite3_stmt* statement) : statement_(statement) {}
  Rows(Rows const&) = delete;
  Rows& operator=(Rows const&) = delete;
  ~Rows();

  /// Steps to the next row; false after the last. Throws SqliteError.
  bool next();

  [[nodiscard]] ColumnType type(int column) const;
  [[nodiscard]] bool is_null(int column) const { return type(column) == ColumnType::null; }
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::vector<unsigned char> bytes(int column) const;
  [[nodiscard]] std::optional<std::int64_t> integer_or_none(int column) const;

 private:
  sqlite3_stmt* statement_;
};

/// A statement, prepared once. Does not outlive its connection.
class Statement {
 public:
  Statement(Connection& connection, std::string_view sql);

  /// The rows for these parameters; one execution at a time.
  [[nodiscard]] Rows query(std::initializer_list<Parameter> parameters);

  /// Executes to the end and leaves out what it yields.
  void run(std::initializer_list<Parameter> parameters);

  [[nodiscard]] std::vector<std::string> column_names() const;

 private:
  void bind(std::initializer_list<Parameter> parameters);

  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
};

/// BEGIN IMMEDIATE … COMMIT; rolled back unless commit() returned.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  Transaction(Transaction const&) = delete;
  Transaction& operator=(Transaction const&) = delete;
  ~Transaction();

  /// When this throws neither is_disk_full() nor is_busy(), nobody knows whether it is durable.
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

/// One command of a batch; undone unless release() was called.
class Savepoint {
 public:
  explicit Savepoint(Connection& connection);
  Savepoint(Savepoint const&) = delete;
  Savepoint& operator=(Savepoint const&) = delete;
  ~Savepoint();

  void release();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace onetap::storage
