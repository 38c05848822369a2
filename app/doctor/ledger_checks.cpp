#include "app/doctor/ledger_checks.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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
constexpr char one_at_a_time[] =
    "; one ledger has one server: a second one behind the balancer would not know the codes of the first";
constexpr char be_its_user[] =
    "run this as the server's user; if it is, let that user read and write the ledger's files, and in their "
    "folder";

std::string reason(int error) { return std::generic_category().message(error); }

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
  if (auto const fault = storage::lock_fault(database))
    return found_odd(check, "cannot tell whether one has this ledger: " + *fault,
                     "run this as the server's user");
  if (!holder) return found_well(check, std::string("none has this ledger now") + one_at_a_time);
  std::string what = "process " + std::to_string(holder->pid) + " has this ledger";
  if (!holder->operator_address.empty()) what += ", and listens to operators at " + holder->operator_address;
  return found_well(check, what + one_at_a_time);
}

// A key that is there and that this user may not read is not to be replaced.
std::optional<Finding> examine_key_access(path const& file) {
  if (!is_there(file) || ::access(file.c_str(), R_OK) == 0) return std::nullopt;
  int const error = errno;
  return found_wrong(key_check, file.string() + " cannot be read: " + reason(error), be_its_user);
}

Finding examine_key_before_ledger(Settings const& settings, path const& database) {
  if (settings.data_key) return found_well(key_check, "ONETAP_DATA_KEY, for a ledger to come");
  path const file = data_key_path(database);
  if (!is_there(file)) return found_well(key_check, "to be made with the ledger, as " + file.string());
  if (auto fault = examine_key_access(file)) return *std::move(fault);
  auto const key = read_data_key(file);
  if (key) return found_well(key_check, file.string() + ", for a ledger to come");
  return found_wrong(key_check, key.error(), "put a copy of the key in its place");
}

Finding examine_key(Settings const& settings, path const& database) {
  if (!settings.data_key) {
    for (path const& file : {data_key_path(database), new_data_key_path(database)})
      if (auto fault = examine_key_access(file)) return *std::move(fault);
  }
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
  bool const server_runs =
      storage::find_lock_holder(database).has_value() || storage::lock_fault(database).has_value();
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
  std::string const yet = is_there(database) ? " is empty yet" : " is not there yet";
  return found_well(database_check, database.string() + yet + ": the first start makes it");
}

Finding examine_ballast(path const& database) {
  constexpr std::string_view check = "ballast";
  path const file = database.string() + ".ballast";
  if (is_there(file))
    return found_well(check, shown_bytes(size_of(file)) + " set aside for the day the disk is full");
  if (storage::lock_fault(database)) return left_out(check, "not known while the lock cannot be read");
  if (!storage::find_lock_holder(database))
    return found_well(check, "not set aside yet: the next start does it");
  return found_odd(check, "given up: the disk was full", "make room there, then restart the server");
}

Findings examine_contents(Settings const& settings, path const& database,
                          storage::LedgerFacts const& ledger) {
  if (auto finding = judge_ledger(ledger, settings.sandbox)) return {*std::move(finding)};
  std::string const about = database.string() + ", " + shown_bytes(size_of(database)) + ", schema " +
                            std::to_string(ledger.schema_version) + ", journal " + ledger.journal_mode;
  return {verify(database, about), judge_log_size(size_of(database.string() + "-wal")),
          examine_ballast(database)};
}

// Whether it is a file that can be opened at all; a missing one is well.
std::optional<Finding> examine_access(path const& file) {
  struct ::stat status{};
  if (::stat(file.c_str(), &status) != 0) {
    int const error = errno;
    if (error == ENOENT || error == ENOTDIR) return std::nullopt;
    return found_wrong(database_check, file.string() + " cannot be looked at: " + reason(error), be_its_user);
  }
  if (!S_ISREG(status.st_mode))
    return found_wrong(database_check,
                       file.string() + (S_ISDIR(status.st_mode) ? " is a folder" : " is no regular file"),
                       "name a file in ONETAP_DB, such as /var/lib/onetap/onetap.db");
  if (::access(file.c_str(), R_OK | W_OK) == 0) return std::nullopt;
  int const error = errno;
  return found_wrong(database_check, file.string() + " cannot be read and written: " + reason(error),
                     be_its_user);
}

std::optional<Finding> examine_access_to_all(path const& database) {
  for (char const* const suffix : {"", "-wal", "-shm"}) {
    if (auto fault = examine_access(database.string() + suffix)) return fault;
  }
  return std::nullopt;
}

Findings without_key(Finding of_database) {
  return {left_out(key_check, "not looked at before the ledger can be read"), std::move(of_database)};
}

Findings examine_key_and_database(Settings const& settings, path const& database) {
  if (auto fault = examine_access_to_all(database)) return without_key(*std::move(fault));
  if (size_of(database) == 0)
    return {examine_key_before_ledger(settings, database), examine_new_database(database)};
  auto const ledger = storage::inspect_ledger(database);
  if (!ledger) return without_key(judge_ledger_fault(ledger.error()));
  Findings findings{examine_key(settings, database)};
  for (Finding& finding : examine_contents(settings, database, *ledger))
    findings.push_back(std::move(finding));
  return findings;
}

}  // namespace

Finding judge_ledger_fault(storage::LedgerFault const& fault) {
  using Kind = storage::LedgerFault::Kind;
  std::string_view advice = "name another file in ONETAP_DB, or restore a backup: onetap restore";
  if (fault.kind == Kind::no_access) advice = be_its_user;
  if (fault.kind == Kind::newer) advice = "run the newer onetap with it, or name another ledger in ONETAP_DB";
  return found_wrong(database_check, fault.sentence, std::string(advice));
}

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
  Findings findings{examine_lock(database)};
  for (Finding& finding : examine_key_and_database(settings, database))
    findings.push_back(std::move(finding));
  return findings;
}

}  // namespace onetap::app
