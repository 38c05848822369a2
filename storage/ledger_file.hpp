#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/exchange/ledger.hpp"
#include "core/result.hpp"
#include "storage/lock_file.hpp"
#include "storage/sqlite_ledger.hpp"

namespace onetap::storage {

/// A ledger belongs to the real WeChat or to the sandbox, for life.
enum class LedgerMode { real, sandbox };

struct LedgerOptions {
  std::filesystem::path path;
  LedgerMode mode = LedgerMode::real;
  core::Digest key_fingerprint{};   // crypto::Keyring::fingerprint()
  core::SealedBytes sealed_pepper;  // crypto::Keyring::sealed_pepper(), for a new ledger to keep
  LedgerSettings settings;
  Now now;
  std::size_t ballast_bytes = std::size_t{16} * 1024 * 1024;  // 0: none
};

struct OpenError {
  enum class Kind { locked, wrong_key, wrong_mode, not_a_ledger, newer_schema, disk };
  Kind kind = Kind::disk;
  std::string sentence;  // for the operator; names the file
};

/// Room set aside beside the database, given up when the disk is full so that outcomes still land.
class Ballast {
 public:
  Ballast(std::filesystem::path path, std::size_t bytes) : path_(std::move(path)), bytes_(bytes) {}

  /// Makes the file where it is missing; false when there is no room for it.
  [[nodiscard]] bool take();
  /// Gives the room back; false when there was none.
  bool drop();

 private:
  std::filesystem::path path_;
  std::size_t bytes_;
};

/// That the ledger was of an older schema, which its copy still is.
struct Migrated {
  int from_version = 0;
  std::filesystem::path copy;
};

/// A ledger that this process may write: locked, migrated, recovered.
struct LedgerFile {
  LockFile lock;
  Ballast ballast;
  std::unique_ptr<SqliteLedger> ledger;
  Recovery recovery;
  std::optional<Migrated> migrated;
};

/// What a ledger keeps of its data key.
struct KeyRecord {
  core::Digest fingerprint{};
  core::SealedBytes sealed_pepper;
};

/// None where no ledger was made yet. Only reads; what it finds need not be durable.
[[nodiscard]] core::Result<std::optional<KeyRecord>, OpenError> read_key_record(
    std::filesystem::path const& path);

[[nodiscard]] core::Result<LockFile, OpenError> lock_ledger(std::filesystem::path const& path);

/// Makes or migrates, checks key and mode, recovers what an earlier run left open. `lock` is this ledger's. A
/// ledger of an older schema is not touched before a verified copy of it stands (storage/backup.hpp).
/// When it returns a file, everything in it is durable and WeChat may be called.
[[nodiscard]] core::Result<LedgerFile, OpenError> open_ledger(LedgerOptions const& options, LockFile lock);

/// Locks it, too.
[[nodiscard]] core::Result<LedgerFile, OpenError> open_ledger(LedgerOptions const& options);

}  // namespace onetap::storage
