#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/exit_status.hpp"
#include "app/log_sink.hpp"
#include "app/settings.hpp"
#include "app/systemd.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// The settings as they are now, or what is wrong with them: variables and flags stay for the process's life,
/// files change.
using RereadSettings = std::function<core::Result<ParsedSettings, std::vector<std::string>>()>;

/// Serves until SIGTERM or SIGINT, then finishes what is in flight and returns. A disk whose state is
/// unknown ends the process at once, with status 4. SIGHUP has certificate, secrets and log level reread;
/// what cannot be used then changes nothing. The sockets of `supervision` are listened on where there are
/// any, and its supervisor hears when the server is ready and when it stops, and that its loop turns.
[[nodiscard]] ExitStatus run_server(Settings settings, RereadSettings reread, Supervision supervision,
                                    core::Log& log, LogSink& sink);

}  // namespace onetap::app
