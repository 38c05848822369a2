#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/result.hpp"

namespace onetap::storage {

/// Pages done, of how many.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

struct BackupReport {
  std::int64_t consumptions = 0;
  std::int64_t bytes = 0;
};

/// Copies a ledger as it is at one moment, while a server may be writing it: through a reading connection,
/// so that nothing waits for it (but while it runs, the WAL is not truncated). Sealed numbers, sessions and
/// session_keys are left out, and the copy is marked as one. `target` appears under its name when it has been
/// verified and is durable; it must not exist. A sentence when it could not be made, or `stop` asked to leave
/// it.
[[nodiscard]] core::Result<BackupReport, std::string> make_backup(std::filesystem::path const& ledger,
                                                                  std::filesystem::path const& target,
                                                                  core::WallTime at, Progress const& progress,
                                                                  std::stop_token const& stop = {});

/// Puts a backup where a server will find it: `target` must not exist; the backup must carry its mark, be of
/// this key and verify clean.
[[nodiscard]] core::Result<BackupReport, std::string> restore_backup(std::filesystem::path const& backup,
                                                                     std::filesystem::path const& target,
                                                                     core::Digest const& key_fingerprint,
                                                                     Progress const& progress);

/// `<database>.schema-4`: the ledger as it was before it left schema 4. What `onetap backup` makes, for
/// `onetap restore` of the onetap that knew this schema.
[[nodiscard]] std::filesystem::path migration_copy_path(std::filesystem::path const& database, int version);

/// Copies a ledger that nobody else writes to its migration_copy_path(), in the place of an earlier one, and
/// removes the copies of older schemas but the newest. The copy is stripped as a backup is; before it gets
/// its name it has been read to the last page, and has every row of the ledger's. A sentence when it could
/// not be made: then the ledger and the copies that were there are as they were.
[[nodiscard]] core::Result<BackupReport, std::string> make_migration_copy(
    std::filesystem::path const& database, int version, core::WallTime at);

}  // namespace onetap::storage
