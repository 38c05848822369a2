#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap reconcile`: WeChat's count of each pack beside the ledger's. Exit statuses: 0 it agrees, or the
/// difference is explained; 1 something is left unexplained; 2 it could not be compared.
[[nodiscard]] int run_reconcile_command(std::vector<std::string> arguments);

}  // namespace onetap::app
