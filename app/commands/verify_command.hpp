#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap verify`: all invariants and SQLite's own checks. Exit 0 clean, 1 violations listed, 2 not a
/// readable ledger.
[[nodiscard]] int run_verify_command(std::vector<std::string> arguments);

}  // namespace onetap::app
