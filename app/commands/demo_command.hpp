#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap demo`: ten scenes with a server and a sandbox WeChat of its own, in a temporary folder.
/// `arguments` are what follows "demo". 0: all went as they should; 1: one did not, or nothing could be
/// started; 2: unusable arguments; 130: interrupted.
[[nodiscard]] int run_demo_command(std::vector<std::string> arguments);

}  // namespace onetap::app
