#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap replay`: plays JSON scenarios (docs/scenarios.md) against a running server. `arguments` are what
/// follows "replay". 0: all passed; 1: a step failed; 2: unusable arguments or files.
[[nodiscard]] int run_replay_command(std::vector<std::string> arguments);

}  // namespace onetap::app
