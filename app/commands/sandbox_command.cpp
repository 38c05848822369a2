#include "app/commands/sandbox_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/console.hpp"
#include "app/exit_status.hpp"
#include "app/option_values.hpp"
#include "app/sandbox/sandbox.hpp"
#include "app/sandbox/test_codes.hpp"
#include "core/limits.hpp"
#include "net/asio_clock.hpp"

namespace onetap::app {
namespace {

struct SandboxArguments {
  std::string listen = "127.0.0.1:9443";
  std::string ca_path;
  bool show_codes = false;
  bool as_json = false;
};

void write_line_to_stderr(core::LogLevel /*level*/, std::string_view line) {
  std::string text(line);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

core::Task<bool> serve_until_signalled(Sandbox& sandbox, core::Clock& clock, asio::signal_set& signals) {
  co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
  sandbox.stop();
  core::SteadyTime const deadline = clock.steady() + core::limits::drain_time;
  bool const drained = co_await sandbox.drain(deadline);
  co_return drained;
}

ExitStatus serve(SandboxArguments const& arguments, ListenAddress const& listen) {
  asio::io_context loop(1);
  net::AsioClock clock(loop.get_executor());
  core::Log log(write_line_to_stderr, core::LogLevel::info, [&clock] { return clock.wall(); });
  asio::signal_set signals(loop, SIGTERM, SIGINT);
  Sandbox sandbox(loop, clock, log,
                  SandboxOptions{.address = listen.address, .port = listen.port, .log_requests = true});

  if (!arguments.ca_path.empty()) {  // before "listening", which scripts wait for
    std::ofstream file(arguments.ca_path, std::ios::binary | std::ios::trunc);
    file << sandbox.ca_pem() << std::flush;
    if (!file) {
      log.error("cannot write the CA", {{"path", arguments.ca_path}});
      return ExitStatus::cannot_run;
    }
  }
  auto const started = sandbox.start();
  if (!started) {
    log.error("cannot start", {{"what", started.error()}});
    return ExitStatus::cannot_run;
  }

  asio::co_spawn(loop, serve_until_signalled(sandbox, clock, signals),
                 [](std::exception_ptr const& broken, bool drained) {
                   if (broken) std::rethrow_exception(broken);
                   // Connections that outlast the drain hold the loop; there is nothing to save.
                   if (!drained) std::_Exit(static_cast<int>(ExitStatus::drain_missed));
                 });
  loop.run();
  return ExitStatus::done;
}

}  // namespace

int run_sandbox_command(std::vector<std::string> arguments) {
  SandboxArguments parsed;
  CLI::App options("WeChat's stand-in over TLS: no money, nothing leaves this machine", "onetap sandbox");
  options.add_option("--listen", parsed.listen, "address and port; port 0 is any")->capture_default_str();
  options.add_option("--ca-out", parsed.ca_path, "write the throw-away CA's certificate (PEM) to this file");
  CLI::Option* const codes = options.add_flag("--codes", parsed.show_codes, "print the test codes and end");
  options.add_flag("--json", parsed.as_json, "print them as JSON")->needs(codes);
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    options.parse(std::move(arguments));
  } catch (CLI::ParseError const& refused) {
    return options.exit(refused) == 0 ? exit_done : exit_usage;
  }

  if (parsed.show_codes) {
    std::cout << (parsed.as_json ? test_codes_as_json() + "\n"
                                 : test_codes_as_text(console_language() == core::Language::chinese));
    return exit_done;
  }
  ListenAddress listen;
  if (auto const problem = read_listen_address(parsed.listen, listen)) {
    std::cerr << "--listen: " << *problem << "\n";
    return exit_usage;
  }
  return static_cast<int>(serve(parsed, listen));
}

}  // namespace onetap::app
