#include "storage/ledger_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/backup.hpp"
#include "storage/embedded_sql.hpp"
#include "storage/migrate.hpp"

namespace onetap::storage {
namespace {

std::string_view to_string(LedgerMode mode) { return mode == LedgerMode::real ? "real" : "sandbox"; }

std::string sentence_about(std::filesystem::path const& path, std::string const& what) {
  return "the ledger " + path.string() + " cannot be used: " + what;
}

OpenError cannot_open(std::filesystem::path const& path, SqliteError const& error) {
  return {.kind = error.is_not_a_database() ? OpenError::Kind::not_a_ledger : OpenError::Kind::disk,
          .sentence = sentence_about(path, error.what())};
}

// Looks before anything is written, so that another program's database is left as it was.
std::optional<OpenError> look_at(std::filesystem::path const& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) || std::filesystem::file_size(path, ignored) == 0) return {};
  Connection connection(path, Access::read_only);
  std::optional<std::string> const wrong = check_schema(connection);
  if (!wrong) return {};
  bool const newer = connection.integer("PRAGMA application_id") == ledger_application_id;
  return OpenError{.kind = newer ? OpenError::Kind::newer_schema : OpenError::Kind::not_a_ledger,
                   .sentence = sentence_about(path, *wrong)};
}

std::optional<OpenError> check_meta(Connection& connection, LedgerOptions const& options) {
  Statement read(connection, hot_sql("read_meta"));
  {
    Rows rows = read.query({});
    if (rows.next()) {
      std::string const mode = rows.text(0);
      if (mode != to_string(options.mode)) {
        std::string const what = mode == "sandbox"
                                     ? "it is the sandbox's; name another one for the real WeChat"
                                     : "it is a real one; the sandbox needs one of its own";
        return OpenError{.kind = OpenError::Kind::wrong_mode, .sentence = sentence_about(options.path, what)};
      }
      std::vector<unsigned char> const fingerprint = rows.bytes(1);
      if (!std::equal(fingerprint.begin(), fingerprint.end(), options.key_fingerprint.begin(),
                      options.key_fingerprint.end())) {
        return OpenError{
            .kind = OpenError::Kind::wrong_key,
            .sentence = sentence_about(options.path,
                                       "its data key is another one (ONETAP_DATA_KEY); with this one no "
                                       "code in it would be known")};
      }
    }
  }
  return {};
}

void write_meta(Connection& connection, LedgerOptions const& options) {
  Transaction transaction(connection);
  std::int64_t const replay_window_ms = options.settings.replay_window.count();
  if (connection.integer("SELECT count(*) FROM meta") == 0) {
    Statement insert(connection, hot_sql("insert_meta"));
    insert.run({to_string(options.mode), options.key_fingerprint, options.sealed_pepper, replay_window_ms,
                core::unix_ms(options.now.wall)});
  } else {
    Statement update(connection, hot_sql("set_replay_window"));
    update.run({replay_window_ms});
  }
  transaction.commit();
}

using MaybeMigrated = core::Result<std::optional<Migrated>, OpenError>;

// What is not its own ledger is neither copied nor changed.
MaybeMigrated bring_up_to_date(Connection& connection, LedgerOptions const& options) {
  int const version = static_cast<int>(connection.integer("PRAGMA user_version"));
  if (version == 0) {
    migrate(connection);
    return std::optional<Migrated>();
  }
  if (std::optional<OpenError> error = check_meta(connection, options)) return *std::move(error);
  if (version == ledger_schema_version) return std::optional<Migrated>();
  auto const copied = make_migration_copy(options.path, version, options.now.wall);
  if (!copied) {
    return OpenError{.kind = OpenError::Kind::disk,
                     .sentence = sentence_about(
                         options.path, "it has schema " + std::to_string(version) + ", this onetap writes " +
                                           std::to_string(ledger_schema_version) +
                                           ", and the copy that is made before could not be made: " +
                                           copied.error() + ". Nothing was changed")};
  }
  migrate(connection);
  return std::optional<Migrated>(
      Migrated{.from_version = version, .copy = migration_copy_path(options.path, version)});
}

core::Result<LedgerFile, OpenError> open_locked(LedgerOptions const& options, LockFile lock) {
  if (std::optional<OpenError> error = look_at(options.path)) return *std::move(error);
  Connection connection(options.path, Access::read_write);
  connection.keep_log_files();
  connection.rewrite_log();
  MaybeMigrated const migrated = bring_up_to_date(connection, options);
  if (!migrated) return migrated.error();
  write_meta(connection, options);
  auto ledger = std::make_unique<SqliteLedger>(std::move(connection), options.settings);
  Recovery const recovery = ledger->start(options.now);
  Ballast ballast(options.path.string() + ".ballast", options.ballast_bytes);
  static_cast<void>(ballast.take());  // without it the disk is all but full, and the ledger says so itself
  return LedgerFile{.lock = std::move(lock),
                    .ballast = std::move(ballast),
                    .ledger = std::move(ledger),
                    .recovery = recovery,
                    .migrated = *migrated};
}

}  // namespace

bool Ballast::take() {
  if (bytes_ == 0) return true;
  int const file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  bool const taken = ::posix_fallocate(file, 0, static_cast<off_t>(bytes_)) == 0;
  ::close(file);
  if (!taken) drop();
  return taken;
}

bool Ballast::drop() {
  std::error_code ignored;
  return std::filesystem::remove(path_, ignored);
}

core::Result<std::optional<KeyRecord>, OpenError> read_key_record(std::filesystem::path const& path) {
  using Record = core::Result<std::optional<KeyRecord>, OpenError>;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored) || std::filesystem::file_size(path, ignored) == 0)
    return std::optional<KeyRecord>();
  try {
    if (std::optional<OpenError> error = look_at(path)) return *std::move(error);
    Connection connection(path, Access::read_only);
    if (connection.integer("PRAGMA user_version") == 0) return std::optional<KeyRecord>();
    Statement read(connection, hot_sql("read_meta"));
    Rows rows = read.query({});
    if (!rows.next()) return std::optional<KeyRecord>();
    KeyRecord record{.fingerprint = {}, .sealed_pepper = rows.bytes(3)};
    std::vector<unsigned char> const fingerprint = rows.bytes(1);  // the schema knows its size
    std::copy_n(fingerprint.begin(), record.fingerprint.size(), record.fingerprint.begin());
    return Record(boost::system::in_place_value, std::move(record));
  } catch (SqliteError const& error) {
    return cannot_open(path, error);
  }
}

core::Result<LockFile, OpenError> lock_ledger(std::filesystem::path const& path) {
  auto lock = LockFile::acquire(path);
  if (lock) return std::move(*lock);
  return OpenError{.kind = find_lock_holder(path) ? OpenError::Kind::locked : OpenError::Kind::disk,
                   .sentence = lock.error()};
}

core::Result<LedgerFile, OpenError> open_ledger(LedgerOptions const& options, LockFile lock) {
  try {
    return open_locked(options, std::move(lock));
  } catch (SqliteError const& error) {
    return cannot_open(options.path, error);
  }
}

core::Result<LedgerFile, OpenError> open_ledger(LedgerOptions const& options) {
  auto lock = lock_ledger(options.path);
  if (!lock) return lock.error();
  return open_ledger(options, std::move(*lock));
}

}  // namespace onetap::storage
