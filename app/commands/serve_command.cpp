#include "app/commands/serve_command.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "app/log_sink.hpp"
#include "app/options.hpp"
#include "app/server.hpp"
#include "app/settings.hpp"
#include "app/systemd.hpp"

namespace onetap::app {

int run_serve_command(std::vector<std::string> arguments) {
  if (asks_for_help(arguments)) {
    std::fputs(serve_help().c_str(), stdout);
    return 0;
  }
  Environment environment = process_environment();
  auto sockets = inherited_sockets(environment);
  if (sockets) environment = with_addresses(std::move(environment), *sockets);
  RereadSettings const reread = [&] { return parse_settings(arguments, environment, read_text_file); };
  auto parsed = reread();
  if (!parsed) {
    for (std::string const& problem : parsed.error()) std::fprintf(stderr, "%s\n", problem.c_str());
    return static_cast<int>(ExitStatus::configuration);
  }
  auto const fault = sockets ? fault_of_sockets(*sockets, parsed->settings) : sockets.error();
  if (fault) {
    std::fprintf(stderr, "%s\n", fault->c_str());
    return static_cast<int>(ExitStatus::configuration);
  }
  LogSink sink;
  core::Log log([&sink](core::LogLevel level, std::string_view line) { sink.write(level, line); },
                parsed->settings.log_level,
                [] { return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()); });
  for (std::string const& warning : parsed->warnings) log.warn("configuration", {{"what", warning}});
  return static_cast<int>(run_server(std::move(parsed->settings), reread,
                                     {.sockets = std::move(*sockets), .supervisor = Supervisor(environment)},
                                     log, sink));
}

}  // namespace onetap::app
