#pragma once

#include <functional>
#include <string>

#include "app/exit_status.hpp"
#include "app/log_sink.hpp"
#include "app/settings.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// Serves until SIGTERM or SIGINT, then finishes what is in flight and returns. A disk whose state is
/// unknown ends the process at once, with status 4.
[[nodiscard]] ExitStatus run_server(Settings settings, core::Log& log, LogSink& sink);

}  // namespace onetap::app
