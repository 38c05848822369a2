#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace onetap::storage {

/// Who holds a ledger, as its lock file tells.
struct LockHolder {
  long pid = 0;
  std::string operator_address;  // "host:port"; empty until it is bound
};

/// The right to write a ledger: an exclusive lock on the file of lock_path(), which one process holds until
/// it ends. The file stays behind; only the lock counts.
class LockFile {
 public:
  /// A sentence that names the holder when there is one, or what went wrong.
  [[nodiscard]] static core::Result<LockFile, std::string> acquire(std::filesystem::path const& database);

  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(LockFile const&) = delete;
  LockFile& operator=(LockFile const&) = delete;
  ~LockFile();

  /// Lets the operators' commands find the server.
  void write_operator_address(std::string_view address);

 private:
  explicit LockFile(int file) : file_(file) {}
  void release() noexcept;

  int file_ = -1;
};

/// The one path of a database, absolute and without symbolic links, by which its lock and key are named
/// whatever name it is opened by. The file and its folders need not exist. Hard links stay several names.
[[nodiscard]] std::filesystem::path canonical_database(std::filesystem::path const& database);

/// `<canonical database>.lock`
[[nodiscard]] std::filesystem::path lock_path(std::filesystem::path const& database);

/// The process that holds the ledger now; none when nobody does.
[[nodiscard]] std::optional<LockHolder> find_lock_holder(std::filesystem::path const& database);

/// Why find_lock_holder() cannot tell ("/…/onetap.db.lock: Permission denied"); none when it can, also where
/// there is no lock file.
[[nodiscard]] std::optional<std::string> lock_fault(std::filesystem::path const& database);

}  // namespace onetap::storage
