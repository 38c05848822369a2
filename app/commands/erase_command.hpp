#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap erase --phone -`: a person's right. Exit 0, 1 (not done), 2 (usage).
[[nodiscard]] int run_erase_command(std::vector<std::string> arguments);

}  // namespace onetap::app
