#include "app/commands/sandbox_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>

#include "app/sandbox/sandbox.hpp"
#include "app/sandbox/test_codes.hpp"
#include "core/limits.hpp"
#include "net/asio_clock.hpp"

namespace onetap::app {
namespace {

constexpr int exit_done = 0;
constexpr int exit_cannot_run = 1;
constexpr int exit_usage = 2;
constexpr int exit_drain_missed = 3;

struct SandboxArguments {
  std::string listen = "127.0.0.1:9443";
  std::string ca_path;
  bool show_codes = false;
  bool as_json = false;
};

struct HostAndPort {
  std::string address;
  unsigned short port = 0;
};

/// "127.0.0.1:9443" or "[::1]:9443".
std::optional<HostAndPort> parse_listen(std::string_view text) {
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  std::string_view const digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  HostAndPort parsed{.address = std::string(host)};
  auto const number = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  bool const is_port = number.ec == std::errc() && number.ptr == digits.data() + digits.size();
  boost::system::error_code not_an_address;
  asio::ip::make_address(parsed.address, not_an_address);
  if (!is_port || not_an_address) return std::nullopt;
  return parsed;
}

bool speaks_chinese() {
  for (char const* const name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    char const* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return std::string_view(value).starts_with("zh");
  }
  return false;
}

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

int serve(SandboxArguments const& arguments, HostAndPort const& listen) {
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
      return exit_cannot_run;
    }
  }
  auto const started = sandbox.start();
  if (!started) {
    log.error("cannot start", {{"what", started.error()}});
    return exit_cannot_run;
  }

  asio::co_spawn(loop, serve_until_signalled(sandbox, clock, signals),
                 [](std::exception_ptr const& broken, bool drained) {
                   if (broken) std::rethrow_exception(broken);
                   // Connections that outlast the drain hold the loop; there is nothing to save.
                   if (!drained) std::_Exit(exit_drain_missed);
                 });
  loop.run();
  return exit_done;
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
    std::cout << (parsed.as_json ? test_codes_as_json() + "\n" : test_codes_as_text(speaks_chinese()));
    return exit_done;
  }
  auto const listen = parse_listen(parsed.listen);
  if (!listen) {
    std::cerr << "--listen: not an IP address and port: " << parsed.listen << "; e.g. 127.0.0.1:9443\n";
    return exit_usage;
  }
  return serve(parsed, *listen);
}

}  // namespace onetap::app
