#include "storage/backup.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/embedded_sql.hpp"
#include "storage/reports.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {
namespace {

using Made = core::Result<BackupReport, std::string>;
using Fault = std::optional<std::string>;

Made failed(std::string sentence) { return {boost::system::in_place_error, std::move(sentence)}; }

bool sync(std::filesystem::path const& path, int flags) {
  int const descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) return false;
  bool const synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return synced;
}

/// A file in the making: gone, with what SQLite puts beside it, unless it got its name.
class Partial {
 public:
  /// Its name is its own: two backups to one target do not meet before the end, where the first one wins.
  explicit Partial(std::filesystem::path target) : target_(std::move(target)) {
    path_ = target_.string() + ".partial-" + std::to_string(std::random_device{}());
    int const file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, ledger_file_mode);
    if (file < 0)
      throw SqliteError(SQLITE_CANTOPEN, "cannot make " + path_.string() + ": " + std::strerror(errno));
    ::close(file);
  }
  Partial(Partial const&) = delete;
  Partial& operator=(Partial const&) = delete;
  ~Partial() { remove(); }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

  /// Durable under its own name; link(2) never replaces what is there.
  [[nodiscard]] Fault finish() {
    if (!sync(path_, O_RDONLY)) return "cannot sync " + path_.string();
    std::error_code error;
    std::filesystem::create_hard_link(path_, target_, error);
    if (error) return "cannot make " + target_.string() + ": " + error.message();
    remove();
    if (sync_folder()) return std::nullopt;
    std::filesystem::remove(target_, error);  // its name may not outlive the power
    return "cannot sync the folder of " + target_.string();
  }

  /// The same in the place of what is there.
  [[nodiscard]] Fault finish_replacing() {
    if (!sync(path_, O_RDONLY)) return "cannot sync " + path_.string();
    std::error_code error;
    std::filesystem::rename(path_, target_, error);
    if (error) return "cannot make " + target_.string() + ": " + error.message();
    if (!sync_folder()) return "cannot sync the folder of " + target_.string();
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool sync_folder() const {
    std::filesystem::path const folder = target_.has_parent_path() ? target_.parent_path() : ".";
    return sync(folder, O_RDONLY | O_DIRECTORY);
  }

  void remove() const {
    std::error_code ignored;
    for (char const* const suffix : {"", "-wal", "-shm", "-journal"})
      std::filesystem::remove(path_.string() + suffix, ignored);
  }

  std::filesystem::path target_;
  std::filesystem::path path_;
};

void copy_pages(Connection& from, Connection& to, Progress const& progress, std::stop_token const& stop) {
  constexpr int pages_at_once = 1024;
  struct Finish {
    void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
  };
  std::unique_ptr<sqlite3_backup, Finish> const backup(
      sqlite3_backup_init(to.handle(), "main", from.handle(), "main"));
  if (backup == nullptr) throw SqliteError(sqlite3_errcode(to.handle()), sqlite3_errmsg(to.handle()));
  int result = SQLITE_OK;
  while (result == SQLITE_OK) {
    if (stop.stop_requested()) throw SqliteError(SQLITE_INTERRUPT, "it was left");
    result = sqlite3_backup_step(backup.get(), pages_at_once);
    std::int64_t const total = sqlite3_backup_pagecount(backup.get());
    if (progress) progress(total - sqlite3_backup_remaining(backup.get()), total);
  }
  if (result != SQLITE_DONE) throw SqliteError(result, sqlite3_errstr(result));
}

// One moment for all pages: the snapshot is held from the first to the last.
void copy_ledger(std::filesystem::path const& from, std::filesystem::path const& to, Progress const& progress,
                 std::stop_token const& stop = {}) {
  Connection source(from, Access::read_only);
  source.run("BEGIN; SELECT count(*) FROM meta");
  Connection copy(to, Access::read_write);
  copy_pages(source, copy, progress, stop);
}

std::vector<std::string> tables_in(Connection& connection) {
  Statement tables(connection,
                   "SELECT t.name FROM sqlite_schema AS t WHERE t.type = 'table' "
                   "AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name");
  std::vector<std::string> names;
  Rows rows = tables.query({});
  while (rows.next()) names.push_back(rows.text(0));
  return names;
}

constexpr std::array<std::string_view, 3> tables_left_out{"session", "session_key", "access_token"};

bool is_left_out(std::string const& table) { return std::ranges::count(tables_left_out, table) > 0; }

// A ledger of an older schema has not all of these tables.
void strip(std::filesystem::path const& path, core::WallTime at) {
  Connection copy(path, Access::read_write);
  std::vector<std::string> const tables = tables_in(copy);
  Transaction transaction(copy);
  copy.run("UPDATE live_code SET sealed_number = NULL");
  for (std::string const& table : tables) {
    if (is_left_out(table)) copy.run("DELETE FROM \"" + table + '"');
  }
  copy.run("UPDATE meta SET copied_at = " + std::to_string(core::unix_ms(at)));
  transaction.commit();
  // One file, without a WAL beside it.
  copy.checkpoint_truncate();
  if (copy.text("PRAGMA journal_mode = DELETE") != "delete")
    throw SqliteError(SQLITE_ERROR, "the copy keeps its write-ahead log");
}

Fault fault_in(std::filesystem::path const& path, std::stop_token const& stop = {}) {
  auto reports = Reports::open(path);
  if (!reports) return reports.error();
  Verification const found = reports->verify(false, {}, stop);
  if (found.is_clean()) return std::nullopt;
  std::size_t const count = found.violations.rows.size() + found.damaged_pages.size();
  return "it has " + std::to_string(count) + " faults: onetap verify lists them";
}

// By what every schema has: reports know the newest one only.
Fault fault_in_migration_copy(std::filesystem::path const& ledger, std::filesystem::path const& path) {
  Connection original(ledger, Access::read_only);
  Connection copy(path, Access::read_only);
  if (std::string found = copy.text("PRAGMA integrity_check"); found != "ok") return found;
  if (copy.integer("SELECT count(*) FROM pragma_foreign_key_check") != 0)
    return "it has rows that refer to none";
  for (std::string const& table : tables_in(original)) {
    if (is_left_out(table)) continue;
    std::string const count = "SELECT count(*) FROM \"" + table + '"';
    if (original.integer(count) != copy.integer(count)) return "it has not every row of " + table;
  }
  return std::nullopt;
}

BackupReport report_on(std::filesystem::path const& path) {
  BackupReport report;
  Connection copy(path, Access::read_only);
  report.consumptions = copy.integer("SELECT count(*) FROM consumption");
  std::error_code ignored;
  report.bytes = static_cast<std::int64_t>(std::filesystem::file_size(path, ignored));
  return report;
}

Fault fault_of_backup(std::filesystem::path const& backup, core::Digest const& key_fingerprint) {
  auto const readable = Reports::open(backup);
  if (!readable) return readable.error();
  Connection connection(backup, Access::read_only);
  Statement read(connection, hot_sql("read_meta"));
  Rows rows = read.query({});
  if (!rows.next()) return backup.string() + " is not a ledger";
  std::vector<unsigned char> const fingerprint = rows.bytes(1);
  if (!std::ranges::equal(fingerprint, key_fingerprint))
    return backup.string() + " was made with another data key: with this one no code in it would be known";
  if (rows.is_null(2)) return backup.string() + " was not made by onetap backup";
  return std::nullopt;
}

}  // namespace

Made make_backup(std::filesystem::path const& ledger, std::filesystem::path const& target, core::WallTime at,
                 Progress const& progress, std::stop_token const& stop) {
  std::error_code ignored;
  if (std::filesystem::exists(target, ignored)) return failed(target.string() + " exists: name another file");
  // Another program's database is told apart before it is copied.
  if (auto const readable = Reports::open(ledger); !readable) return failed(readable.error());
  try {
    Partial partial(target);
    copy_ledger(ledger, partial.path(), progress, stop);
    strip(partial.path(), at);
    if (Fault const fault = fault_in(partial.path(), stop)) return failed("the copy is no good: " + *fault);
    BackupReport const report = report_on(partial.path());
    if (Fault fault = partial.finish()) return failed(*std::move(fault));
    return report;
  } catch (SqliteError const& error) {
    return failed("the backup could not be made: " + std::string(error.what()));
  }
}

Made restore_backup(std::filesystem::path const& backup, std::filesystem::path const& target,
                    core::Digest const& key_fingerprint, Progress const& progress) {
  std::error_code ignored;
  for (char const* const suffix : {"", "-wal"}) {
    if (std::filesystem::exists(target.string() + suffix, ignored))
      return failed(target.string() + suffix + " exists: a restore never replaces a ledger");
  }
  try {
    if (Fault fault = fault_of_backup(backup, key_fingerprint)) return failed(*std::move(fault));
    Partial partial(target);
    copy_ledger(backup, partial.path(), progress);
    {
      Connection copy(partial.path(), Access::read_write);
      copy.checkpoint_truncate();
    }
    if (Fault const fault = fault_in(partial.path())) return failed("the backup is no good: " + *fault);
    BackupReport const report = report_on(partial.path());
    if (Fault fault = partial.finish()) return failed(*std::move(fault));
    return report;
  } catch (SqliteError const& error) {
    return failed("the backup could not be restored: " + std::string(error.what()));
  }
}

std::filesystem::path migration_copy_path(std::filesystem::path const& database, int version) {
  return database.string() + ".schema-" + std::to_string(version);
}

Made make_migration_copy(std::filesystem::path const& database, int version, core::WallTime at) {
  try {
    Partial partial(migration_copy_path(database, version));
    copy_ledger(database, partial.path(), {});
    strip(partial.path(), at);
    if (Fault const fault = fault_in_migration_copy(database, partial.path()))
      return failed("the copy is no good: " + *fault);
    BackupReport const report = report_on(partial.path());
    if (Fault fault = partial.finish_replacing()) return failed(*std::move(fault));
    // Of the copies of older schemas only the newest stays.
    int kept = 1;
    for (int older = version - 1; older > 0; --older) {
      std::filesystem::path const path = migration_copy_path(database, older);
      std::error_code ignored;
      if (!std::filesystem::exists(path, ignored)) continue;
      if (kept-- <= 0) std::filesystem::remove(path, ignored);
    }
    return report;
  } catch (SqliteError const& error) {
    return failed(error.what());
  }
}

}  // namespace onetap::storage
