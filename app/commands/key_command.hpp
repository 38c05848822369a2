#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap key rotate`.
[[nodiscard]] int run_key_command(std::vector<std::string> arguments);

}  // namespace onetap::app
