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

/// Why a ledger cannot be read.
struct LedgerFault {
  enum class Kind {
    no_access,  // this user may not open its files, or SQLite may not write beside them
    newer,      // of a later schema
    unreadable,
  };
  Kind kind = Kind::unreadable;
  std::string sentence;
};

/// Of a ledger of this or an older schema. Only reads.
[[nodiscard]] core::Result<LedgerFacts, LedgerFault> inspect_ledger(std::filesystem::path const& path);

/// The access_tokens that the ledger keeps and that live at `now`; none from an older or unreadable ledger.
/// Only reads.
[[nodiscard]] std::vector<core::StoredToken> read_kept_tokens(std::filesystem::path const& path,
                                                              core::WallTime now);

}  // namespace onetap::storage
