#pragma once

namespace onetap::app {

/// Exit statuses (contract, "Configuration").
enum class ExitStatus { done = 0, cannot_run = 1, configuration = 2, drain_missed = 3, disk_error = 4 };

}  // namespace onetap::app
