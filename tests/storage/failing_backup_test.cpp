#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "storage/backup.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/failing_memory.hpp"

// A backup is made of files that it links and syncs itself, so these run on real ones, below SQLite's own
// VFS: the system's calls are what fails.

namespace onetap::tests {
namespace {

using storage::Command;

enum class Call { read, write, sync, truncate };

/// The system's calls on files, of which one can be made to fail; and which files it was told to make durable
/// since they were written last. Nothing is synced really: no power fails here.
class FailingCalls {
 public:
  /// SQLite calls the system through these from the first call on.
  static FailingCalls& install() {
    static FailingCalls calls;
    return calls;
  }

  void fail(Call call, std::int64_t nth, int error) {
    failing_ = call;
    countdown_ = nth;
    error_ = error;
    has_failed_ = false;
  }
  void forget_failure() { countdown_ = 0; }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

  [[nodiscard]] bool is_synced(std::filesystem::path const& path) const {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && !unsynced_.contains(status.st_ino);
  }
  /// Of what was there under this name when its folder was synced the last time.
  void watch_name(std::filesystem::path path) {
    watched_ = std::move(path);
    is_name_synced_ = false;
  }
  [[nodiscard]] bool is_name_synced() const { return is_name_synced_; }

  int sync(int file) {
    if (strikes(Call::sync)) return -1;
    struct stat status{};
    if (::fstat(file, &status) != 0) return -1;
    unsynced_.erase(status.st_ino);
    if (S_ISDIR(status.st_mode)) is_name_synced_ = std::filesystem::exists(watched_);
    return 0;
  }

 private:
  FailingCalls() {
    sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
    for (char const* const name : {"pread", "pread64"}) replace(vfs, name, &read);
    for (char const* const name : {"pwrite", "pwrite64"}) replace(vfs, name, &write);
    replace(vfs, "ftruncate", &truncate);
  }

  template <class Function>
  static void replace(sqlite3_vfs* vfs, char const* name, Function function) {
    if (vfs->xGetSystemCall(vfs, name) == nullptr) return;
    REQUIRE(vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(function)) == SQLITE_OK);
  }

  static ssize_t read(int file, void* into, std::size_t size, off_t offset) {
    return install().strikes(Call::read) ? -1 : ::pread(file, into, size, offset);
  }
  static ssize_t write(int file, void const* from, std::size_t size, off_t offset) {
    if (install().strikes(Call::write)) return -1;
    install().note_change(file);
    return ::pwrite(file, from, size, offset);
  }
  static int truncate(int file, off_t size) {
    if (install().strikes(Call::truncate)) return -1;
    install().note_change(file);
    return ::ftruncate(file, size);
  }

  void note_change(int file) {
    struct stat status{};
    if (::fstat(file, &status) == 0) unsynced_.insert(status.st_ino);
  }

  bool strikes(Call call) {
    if (countdown_ == 0 || call != failing_ || --countdown_ != 0) return false;
    has_failed_ = true;
    errno = error_;
    return true;
  }

  Call failing_ = Call::read;
  std::int64_t countdown_ = 0;
  int error_ = 0;
  bool has_failed_ = false;
  std::set<ino_t> unsynced_;
  std::filesystem::path watched_;
  bool is_name_synced_ = false;
};

struct Fault {
  char const* name;
  std::optional<Call> call;  // none: an allocation
  int error;
};

constexpr std::array faults{
    Fault{"read", Call::read, EIO},          Fault{"write", Call::write, EIO},
    Fault{"full disk", Call::write, ENOSPC}, Fault{"sync", Call::sync, EIO},
    Fault{"truncate", Call::truncate, EIO},  Fault{"allocation", std::nullopt, 0},
};

/// A served ledger of three codes, and copies made of it on a disk that fails once.
class BackupBench {
 public:
  BackupBench() : memory_(FailingMemory::install()), calls_(FailingCalls::install()) {
    file_.emplace(opened(options_for(ledger_folder_ / "onetap.db", clock_)));
    for (int code = 1; code <= 3; ++code) begin(code);
    settle(1, State::ok);
    settle(2, State::in_doubt);
  }

  /// Makes a file, with this journal when done, with the n-th call of each sort failing, n = 1 … until none
  /// fails any more.
  void run(char const* name, std::string_view journal,
           std::function<core::Result<storage::BackupReport, std::string>(
               std::filesystem::path const& target)> const& make) {
    for (Fault const& fault : faults) {
      int struck = 0;
      for (std::int64_t nth = 1;; nth = next_to_fail(nth)) {
        CAPTURE(name);
        CAPTURE(fault.name);
        CAPTURE(nth);
        TempFolder folder;
        std::filesystem::path const target = folder / "copy.db";
        calls_.watch_name(target);
        arm(fault, nth);
        auto const made = make(target);
        bool const failed = fault.call ? calls_.has_failed() : memory_.has_failed();
        disarm();
        if (!failed && !made) FAIL(made.error());
        CHECK(files_in(folder) == (made ? 1 : 0));
        CHECK(std::filesystem::exists(target) == made.has_value());
        if (made) check_whole(*made, target, journal);
        if (!failed) break;
        ++struck;
      }
      std::printf("failing disk: %s, %s: failed in %d places\n", name, fault.name, struck);
      total_ += struck;
    }
  }

  /// The ledger itself never noticed.
  void check_ledger() {
    settle(3, State::ok);
    begin(4);
    storage::Connection reader(path(), storage::Access::read_only);
    CHECK(damage(reader).empty());
    CHECK(stored_codes(reader).size() == 4);
  }

  [[nodiscard]] int total() const { return total_; }
  [[nodiscard]] std::filesystem::path path() const { return ledger_folder_ / "onetap.db"; }
  [[nodiscard]] StandingClock const& clock() const { return clock_; }

 private:
  static std::ptrdiff_t files_in(TempFolder const& folder) {
    return std::distance(std::filesystem::directory_iterator(folder.path()), {});
  }

  void arm(Fault const& fault, std::int64_t nth) {
    if (fault.call) {
      calls_.fail(*fault.call, nth, fault.error);
    } else {
      memory_.fail(nth);
    }
  }
  void disarm() {
    memory_.forget_failure();
    calls_.forget_failure();
  }

  void check_whole(storage::BackupReport const& report, std::filesystem::path const& target,
                   std::string_view journal) {
    CHECK(calls_.is_synced(target));
    CHECK(calls_.is_name_synced());
    CHECK(report.consumptions == 3);
    storage::Connection reader(target, storage::Access::read_only);
    CHECK(reader.text("PRAGMA journal_mode") == journal);
    CHECK(damage(reader).empty());
    CHECK(reader.integer("SELECT copied_at IS NOT NULL FROM meta") == 1);
    KnownCodes const codes = stored_codes(reader);
    CHECK(codes.size() == 3);
    for (auto const& [code, known] : codes) CHECK_FALSE(known.sealed);
  }

  void apply(Command command) {
    std::vector<Command> const batch{std::move(command)};
    static_cast<void>(file_->ledger->apply(batch));
  }
  void begin(int code) {
    apply({.action = storage::BeginCommand{intent_of(code, clock_.wall())}, .steady = clock_.steady()});
  }
  void settle(int code, State state) {
    apply({.action = settlement_of(code, {.consumption = code, .number = 1}, state, clock_.wall()),
           .steady = clock_.steady()});
  }

  FailingMemory& memory_;
  FailingCalls& calls_;
  TempFolder ledger_folder_;
  StandingClock clock_;
  std::optional<storage::LedgerFile> file_;
  int total_ = 0;
};

}  // namespace

TEST_CASE("a backup is called done only when it is whole, verified and durable; else there is no file") {
  BackupBench bench;
  // One file, that opens where nothing can be written, too.
  bench.run("backup", "delete", [&](std::filesystem::path const& target) {
    return storage::make_backup(bench.path(), target, bench.clock().wall(), {});
  });
  CHECK(bench.total() > 50);
  bench.check_ledger();
}

TEST_CASE("a restored ledger stands under its name only when it is whole, verified and durable") {
  BackupBench bench;
  TempFolder folder;
  std::filesystem::path const backup = folder / "backup.db";
  REQUIRE(storage::make_backup(bench.path(), backup, bench.clock().wall(), {}).has_value());
  bench.run("restore", "wal", [&](std::filesystem::path const& target) {
    return storage::restore_backup(backup, target, digest_of(4711), {});
  });
  CHECK(bench.total() > 50);
}

}  // namespace onetap::tests

// In libc's place, for this program and for SQLite in it.
extern "C" {
int fsync(int file) { return onetap::tests::FailingCalls::install().sync(file); }
int fdatasync(int file) { return onetap::tests::FailingCalls::install().sync(file); }
}
