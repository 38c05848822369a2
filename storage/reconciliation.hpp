#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/billing/reconciliation.hpp"
#include "storage/reports.hpp"

namespace onetap::storage {

/// One of China's days.
struct Day {
  std::string name;  // "2026-11-22"
  core::WallTime from;
  core::WallTime until;
};

/// WeChat's figures of the packs beside the ledger's: of their lives, or of one day, as far as WeChat was
/// asked then. `appid` is empty for all. Codes that WeChat refused are not counted in it. Throws SqliteError.
[[nodiscard]] std::vector<core::reconciliation::Books> read_books(Reports& reports, std::string const& appid,
                                                                  std::optional<Day> const& day);

/// Books::rejected. Looks at the whole history, so only where something is left to explain.
[[nodiscard]] std::int64_t count_rejected(Reports& reports, core::reconciliation::Books const& books,
                                          std::optional<Day> const& day);

}  // namespace onetap::storage
