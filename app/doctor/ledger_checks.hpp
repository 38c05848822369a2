#pragma once

#include <cstdint>
#include <optional>

#include "app/doctor/finding.hpp"
#include "app/settings.hpp"
#include "core/clock.hpp"
#include "storage/inspection.hpp"

namespace onetap::app {

/// The write-ahead log's size: what no server has copied into the database yet.
[[nodiscard]] Finding judge_log_size(std::uint64_t bytes);

/// Mode and schema of a ledger that can be read; none where there is nothing to say of them.
[[nodiscard]] std::optional<Finding> judge_ledger(storage::LedgerFacts const& facts, bool for_sandbox);

/// A ledger that cannot be read, and what to do by its kind.
[[nodiscard]] Finding judge_ledger_fault(storage::LedgerFault const& fault);

/// Who has the ledger, its key, file, log and ballast. Only reads, also while a server runs.
[[nodiscard]] Findings examine_ledger(Settings const& settings);

}  // namespace onetap::app
