#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap serve`: reads the settings, then serves until it is told to stop. Returns the exit status.
[[nodiscard]] int run_serve_command(std::vector<std::string> arguments);

}  // namespace onetap::app
