#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap sandbox`: WeChat's stand-in, until SIGTERM or SIGINT; or, with --codes, the table of its test
/// codes. `arguments` are what follows "sandbox". The exit status (contract, "Exit statuses").
[[nodiscard]] int run_sandbox_command(std::vector<std::string> arguments);

}  // namespace onetap::app
