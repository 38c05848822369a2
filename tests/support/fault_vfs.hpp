#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace onetap::tests {

/// What an operation does to the disk.
enum class DiskOperation { read, write, sync, truncate };

/// How much of what was not synced outlives a power cut.
enum class Survival { nothing, everything, a_prefix, some_sectors, some_sectors_in_any_order };

/// A disk in memory as SQLite's default VFS, for as long as it lives: one folder, no other process. It
/// keeps what was not synced apart, and can lose, tear (at 512-byte sectors) and reorder it in a power cut.
/// A folder's entry is durable once the folder was synced, as SQLite's unix VFS does it.
class FaultVfs {
 public:
  explicit FaultVfs(std::uint64_t seed);
  FaultVfs(FaultVfs const&) = delete;
  FaultVfs& operator=(FaultVfs const&) = delete;
  ~FaultVfs();

  /// The power fails in the n-th write, sync, truncation or deletion from now (1: in the next one).
  void cut_power_in(std::int64_t operations);
  [[nodiscard]] bool is_off() const;
  /// Writes, syncs, truncations and deletions so far.
  [[nodiscard]] std::int64_t operations() const;
  /// Cuts the power if it is on, and brings it back: only what survived is left. No file may be open.
  void restore_power(Survival survival);

  /// As if the process were killed: nothing more reaches the disk until start_process(), which leaves every
  /// file as it was seen, synced or not. No file may be open by then.
  void kill_process();
  void start_process();

  /// The n-th such operation from now fails once with SQLite's `code`. A sync that fails loses what it was
  /// to make durable, as Linux does: it stays readable until the power goes.
  void fail(DiskOperation operation, std::int64_t nth, int code);
  /// Whether the failure asked for has come.
  [[nodiscard]] bool has_failed() const;
  void forget_failure();

  /// Bytes that fit on the disk; asked at each write that makes a file longer.
  void set_capacity(std::function<std::uint64_t()> capacity);
  [[nodiscard]] std::uint64_t bytes_used() const;

  /// Everything gone, as on a new disk. No file may be open.
  void clear();
  /// Keeps what is on the disk, as if all of it were synced, for go_back(). No file may be open then.
  void remember();
  void go_back();

  /// For the C functions behind SQLite's VFS.
  class Disk;

 private:
  std::unique_ptr<Disk> disk_;
};

}  // namespace onetap::tests
