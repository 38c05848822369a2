#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/token/store.hpp"

namespace onetap::storage {

/// What a ledger's file says of itself.
struct LedgerFacts {
  std::int64_t schema_version = 0;
  std::string journal_mode;  // "wal" once a server has had it
  std::string mode;          // "real" or "sandbox"; empty where no server has had it
};

/// Of a ledger of this or an older schema; a sentence when there is none to be read. Only reads.
[[nodiscard]] core::Result<LedgerFacts, std::string> inspect_ledger(std::filesystem::path const& path);

/// The access_tokens that the ledger keeps and that live at `now`; none from an older or unreadable ledger.
/// Only reads.
[[nodiscard]] std::vector<core::StoredToken> read_kept_tokens(std::filesystem::path const& path,
                                                              core::WallTime now);

}  // namespace onetap::storage
