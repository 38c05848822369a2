#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap pack add|price|list`. Exit 0, 1 (not done), 2 (usage).
[[nodiscard]] int run_pack_command(std::vector<std::string> arguments);

}  // namespace onetap::app
