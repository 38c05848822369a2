#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap alarms`: what is left and how long it lasts, and what operators were told; the exit status, 1
/// while an alarm is on.
[[nodiscard]] int run_alarms_command(std::vector<std::string> arguments);

}  // namespace onetap::app
