#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap ledger …`: what the ledger knows, for people; and what became of a doubt. Exit 0, 1 (not found,
/// not done), 2 (usage).
[[nodiscard]] int run_ledger_command(std::vector<std::string> arguments);

}  // namespace onetap::app
