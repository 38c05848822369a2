#include <fstream>

#include "storage/backup.hpp"
#include "storage/migrate.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using storage::Access;
using storage::Connection;
using storage::ledger_schema_version;

/// A ledger as an onetap of an older schema left it: with one number still sealed, and stopped.
struct OlderLedger {
  explicit OlderLedger(int version) {
    Connection connection(path, Access::read_write);
    storage::migrate(connection, version);
    connection.run(
        "INSERT INTO meta (id, mode, key_fingerprint, sealed_pepper, replay_window_ms, created_at)"
        " VALUES (1, 'real', zeroblob(32), x'01', 600000, 0);"
        "INSERT INTO run (pid, started_at, ended_at) VALUES (1, 0, 1);"
        "INSERT INTO app (appid) VALUES ('wx1');"
        "INSERT INTO pack (app, kind, source, units, created_at) VALUES (1, 'quick', 'overdraft', 0, 0);"
        "INSERT INTO consumption (app, kind, path, state, cause, attempts, run, attempt_opened_at, "
        "request_id,"
        " code_key, client_env, created_at)"
        " VALUES (1, 'quick', 'exchange', 'sending', '', 1, 1, 5, 'r', zeroblob(32), 'release', 5);"
        "INSERT INTO live_code (code_key, consumption, seen_at, sealed_number)"
        " VALUES (zeroblob(32), 1, 5, x'5EA1ED')");
    storage::Statement set(connection, "UPDATE meta SET key_fingerprint = ?1");
    set.run({digest_of(4711)});
  }

  [[nodiscard]] storage::LedgerOptions options() const { return options_for(path, clock); }
  [[nodiscard]] std::int64_t integer(std::string const& sql) const {
    return Connection(path, Access::read_only).integer(sql);
  }
  [[nodiscard]] std::filesystem::path copy_of(int version) const {
    return storage::migration_copy_path(path, version);
  }
  [[nodiscard]] storage::OpenError refusal() const {
    auto const file = storage::open_ledger(options());
    REQUIRE_FALSE(file.has_value());
    return file.error();
  }
  [[nodiscard]] std::size_t partial_files() const {
    std::size_t count = 0;
    for (auto const& entry : std::filesystem::directory_iterator(folder.path())) {
      if (entry.path().string().find(".partial-") != std::string::npos) ++count;
    }
    return count;
  }

  TempFolder folder;
  StandingClock clock;
  std::filesystem::path path = folder / "onetap.db";
};

}  // namespace

TEST_CASE("a ledger of any older schema is copied, then brought up to date") {
  for (int version = 1; version < ledger_schema_version; ++version) {
    CAPTURE(version);
    OlderLedger const older(version);
    storage::LedgerFile const file = opened(older.options());
    REQUIRE(file.migrated);
    CHECK(file.migrated->from_version == version);
    CHECK(file.migrated->copy == older.copy_of(version));
    CHECK(older.integer("PRAGMA user_version") == ledger_schema_version);
    CHECK(older.integer("SELECT count(*) FROM consumption") == 1);
    CHECK(file.recovery.attempts_in_doubt == 1);

    Connection copy(older.copy_of(version), Access::read_only);
    CHECK(copy.integer("PRAGMA user_version") == version);
    CHECK(copy.integer("SELECT count(*) FROM consumption") == 1);
    CHECK(copy.integer("SELECT copied_at IS NOT NULL FROM meta") == 1);
    CHECK(copy.integer("SELECT count(*) FROM live_code WHERE sealed_number IS NOT NULL") == 0);
    CHECK(older.partial_files() == 0);
  }
}

TEST_CASE("a ledger that is new or up to date is not copied") {
  OlderLedger const older(ledger_schema_version - 1);
  static_cast<void>(opened(older.options()));
  std::filesystem::remove(older.copy_of(ledger_schema_version - 1));
  CHECK_FALSE(opened(older.options()).migrated);
  TempFolder folder;
  CHECK_FALSE(opened(options_for(folder / "new.db", older.clock)).migrated);
  CHECK_FALSE(std::filesystem::exists(older.copy_of(ledger_schema_version - 1)));
}

TEST_CASE("a copy that cannot be made stops the start, and nothing is changed") {
  int const version = ledger_schema_version - 1;
  OlderLedger const older(version);
  SUBCASE("where something else has its name") {
    std::filesystem::create_directories(older.copy_of(version) / "theirs");
  }
  SUBCASE("of a damaged ledger") {
    auto const page_size = older.integer("PRAGMA page_size");
    auto const page = older.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'consumption'");
    std::fstream file(older.path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp((page - 1) * page_size + page_size - 64);  // within the row, not in the page's head
    file << std::string(64, '\x7f');
  }
  storage::OpenError const error = older.refusal();
  CHECK(error.kind == storage::OpenError::Kind::disk);
  CHECK(error.sentence.find("the copy that is made before could not be made: ") != std::string::npos);
  CHECK(error.sentence.ends_with("Nothing was changed"));
  CHECK(older.integer("PRAGMA user_version") == version);
  CHECK_FALSE(std::filesystem::is_regular_file(older.copy_of(version)));
  CHECK(older.partial_files() == 0);
}

TEST_CASE("another key's ledger is neither copied nor migrated") {
  int const version = ledger_schema_version - 1;
  OlderLedger const older(version);
  storage::LedgerOptions options = older.options();
  options.key_fingerprint = digest_of(1);
  auto const file = storage::open_ledger(options);
  REQUIRE_FALSE(file.has_value());
  CHECK(file.error().kind == storage::OpenError::Kind::wrong_key);
  CHECK(older.integer("PRAGMA user_version") == version);
  CHECK_FALSE(std::filesystem::exists(older.copy_of(version)));
}

TEST_CASE("a copy takes the place of an earlier one of its schema, and two of older schemas stay no longer") {
  int const version = ledger_schema_version - 1;
  OlderLedger const older(version);
  for (int schema = 1; schema <= version; ++schema)
    std::ofstream(older.copy_of(schema)) << "of an earlier day";
  static_cast<void>(opened(older.options()));
  CHECK(Connection(older.copy_of(version), Access::read_only).integer("PRAGMA user_version") == version);
  CHECK(std::filesystem::exists(older.copy_of(version - 1)));
  for (int schema = 1; schema < version - 1; ++schema)
    CHECK_FALSE(std::filesystem::exists(older.copy_of(schema)));
}

TEST_CASE("the way back is to restore the copy with the onetap that knew its schema") {
  // This one's own schema stands for the older one's.
  OlderLedger const older(ledger_schema_version);
  static_cast<void>(opened(older.options()));
  auto const made = storage::make_migration_copy(older.path, ledger_schema_version, older.clock.wall());
  if (!made) FAIL(made.error());
  CHECK(made->consumptions == 1);
  std::filesystem::path const target = older.folder / "back.db";
  auto const restored =
      storage::restore_backup(older.copy_of(ledger_schema_version), target, digest_of(4711), {});
  if (!restored) FAIL(restored.error());
  CHECK(opened(options_for(target, older.clock)).recovery.refuse_until);
}

}  // namespace onetap::tests
