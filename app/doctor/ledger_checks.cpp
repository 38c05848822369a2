#include "app/doctor/ledger_checks.hpp"

#include <unistd.h>

#include <filesystem>
#include <stop_token>
#include <system_error>

#include "app/data_key.hpp"
#include "app/doctor/machine_checks.hpp"
#include "app/keyed_ledger.hpp"
#include "storage/ledger_file.hpp"
#include "storage/migrate.hpp"
#include "storage/reports.hpp"

namespace onetap::app {
namespace {

using std::filesystem::path;

// A look in passing: larger ledgers and slower disks are for `onetap verify`.
constexpr auto verify_time = std::chrono::seconds(5);
constexpr std::uint64_t verify_bytes_max = 256ULL * 1024 * 1024;
constexpr char not_verified[] = "; too long to verify in passing (onetap verify does)";
constexpr std::uint64_t log_bytes_high = 256ULL * 1024 * 1024;
constexpr char database_check[] = "database";
constexpr char key_check[] = "data-key";

std::uint64_t size_of(path const& file) {
  std::error_code error;
  std::uintmax_t const bytes = std::filesystem::file_size(file, error);
  return error ? 0 : bytes;
}

bool is_there(path const& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

Finding examine_lock(path const& database) {
  constexpr std::string_view check = "server";
  auto const holder = storage::find_lock_holder(database);
  if (!holder) return found_well(check, "none has this ledger now");
  std::string what = "process " + std::to_string(holder->pid) + " has this ledger";
  if (!holder->operator_address.empty()) what += ", and listens to operators at " + holder->operator_address;
  return found_well(check, what);
}

Finding examine_key_before_ledger(Settings const& settings, path const& database) {
  if (settings.data_key) return found_well(key_check, "ONETAP_DATA_KEY, for a ledger to come");
  path const file = data_key_path(database);
  if (!is_there(file)) return found_well(key_check, "to be made with the ledger, as " + file.string());
  auto const key = read_data_key(file);
  if (key) return found_well(key_check, file.string() + ", for a ledger to come");
  return found_wrong(key_check, key.error(), "put a copy of the key in its place");
}

Finding examine_key(Settings const& settings, path const& database) {
  if (size_of(database) == 0) return examine_key_before_ledger(settings, database);
  auto const keyring = read_keyring(database, settings.data_key);
  if (!keyring)
    return found_wrong(key_check, keyring.error(),
                       "put the key that this ledger was made with in its place, or name another ledger");
  if (settings.data_key) return found_well(key_check, "ONETAP_DATA_KEY is this ledger's");
  if (is_there(new_data_key_path(database)))
    return found_odd(key_check, new_data_key_path(database).string() + ": a rotation was broken off",
                     "start the server, which puts it right; until then keep both files");
  return found_well(key_check, data_key_path(database).string() + " is this ledger's; keep a copy apart");
}

Finding verify(path const& database, std::string const& about) {
  if (size_of(database) > verify_bytes_max) return found_well(database_check, about + not_verified);
  auto reports = storage::Reports::open(database);
  if (!reports) return found_wrong(database_check, reports.error(), "restore a backup: onetap restore");
  std::stop_source out_of_time;
  auto const until = std::chrono::steady_clock::now() + verify_time;
  bool const server_runs = storage::find_lock_holder(database).has_value();
  try {
    storage::Verification const found = reports->verify(
        server_runs,
        [&](std::int64_t /*done*/, std::int64_t /*about*/) {
          if (std::chrono::steady_clock::now() >= until) out_of_time.request_stop();
        },
        out_of_time.get_token());
    if (found.is_clean()) return found_well(database_check, about + ", verified clean");
    return found_wrong(database_check,
                       about + ": " + std::to_string(found.violations.rows.size()) + " violations, " +
                           std::to_string(found.damaged_pages.size()) + " damages",
                       "run onetap verify, which lists them; restore a backup where pages are damaged");
  } catch (std::exception const& error) {
    if (out_of_time.stop_requested()) return found_well(database_check, about + not_verified);
    return found_wrong(database_check, about + ": " + error.what(),
                       "see to the disk, and restore a backup: onetap restore");
  }
}

Finding examine_new_database(path const& database) {
  path const folder = database.parent_path();
  if (!is_there(folder))
    return found_wrong(database_check, "there is no folder " + folder.string(),
                       "make it, or correct ONETAP_DB");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    return found_wrong(database_check, folder.string() + " cannot be written",
                       "let the server's user write in it, or correct ONETAP_DB");
  return found_well(database_check, database.string() + " is not there yet: the first start makes it");
}

Finding examine_ballast(path const& database) {
  constexpr std::string_view check = "ballast";
  path const file = database.string() + ".ballast";
  if (is_there(file))
    return found_well(check, shown_bytes(size_of(file)) + " set aside for the day the disk is full");
  if (!storage::find_lock_holder(database))
    return found_well(check, "not set aside yet: the next start does it");
  return found_odd(check, "given up: the disk was full", "make room there, then restart the server");
}

Findings examine_database(Settings const& settings, path const& database) {
  if (size_of(database) == 0) return {examine_new_database(database)};
  auto const facts = storage::inspect_ledger(database);
  if (!facts)
    return {found_wrong(database_check, facts.error(),
                        "name another file in ONETAP_DB, or restore a backup: onetap restore")};
  if (auto finding = judge_ledger(*facts, settings.sandbox)) return {*std::move(finding)};
  std::string const about = database.string() + ", " + shown_bytes(size_of(database)) + ", schema " +
                            std::to_string(facts->schema_version) + ", journal " + facts->journal_mode;
  return {verify(database, about), judge_log_size(size_of(database.string() + "-wal")),
          examine_ballast(database)};
}

}  // namespace

Finding judge_log_size(std::uint64_t bytes) {
  constexpr std::string_view check = "database-log";
  std::string const what = shown_bytes(bytes) + " in the write-ahead log";
  if (bytes < log_bytes_high) return found_well(check, what);
  return found_odd(check, what,
                   "end whoever has been reading the ledger for long (a backup, a sqlite3 shell): the log "
                   "grows until then");
}

std::optional<Finding> judge_ledger(storage::LedgerFacts const& facts, bool for_sandbox) {
  std::string_view const wanted = for_sandbox ? "sandbox" : "real";
  if (!facts.mode.empty() && facts.mode != wanted)
    return found_wrong(database_check, "it is the ledger of a " + facts.mode + " WeChat",
                       "name another ledger in ONETAP_DB: the two never mix");
  if (facts.schema_version < storage::ledger_schema_version)
    return found_odd(
        database_check,
        "it is of an older onetap (schema " + std::to_string(facts.schema_version) + ", this one writes " +
            std::to_string(storage::ledger_schema_version) + ")",
        "copy it with the older onetap's backup command, then start the server, which brings it up to date");
  return std::nullopt;
}

Findings examine_ledger(Settings const& settings) {
  path const database = storage::canonical_database(settings.database_path);
  Findings findings{examine_lock(database), examine_key(settings, database)};
  for (Finding& finding : examine_database(settings, database)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace onetap::app
