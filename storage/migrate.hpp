#pragma once

#include <optional>
#include <string>

#include "storage/sqlite.hpp"

namespace onetap::storage {

/// "OTAP"; in the file's header, so that `file` and we know a ledger when we see one.
inline constexpr std::int64_t ledger_application_id = 0x4F544150;

/// The schema this program writes and reads.
inline constexpr int ledger_schema_version = 8;

/// Why this file is not a ledger that this program can use; none when it is, or when it is still empty.
[[nodiscard]] std::optional<std::string> check_schema(Connection& connection);

/// Brings the ledger to `version`, one transaction a migration, and makes the views anew with the last one
/// there is. To be called after check_schema(). Throws SqliteError.
void migrate(Connection& connection, int version = ledger_schema_version);

}  // namespace onetap::storage
