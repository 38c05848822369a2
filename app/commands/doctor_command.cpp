#include "app/commands/doctor_command.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include "app/commands/command_line.hpp"
#include "app/doctor/ledger_checks.hpp"
#include "app/doctor/listener_checks.hpp"
#include "app/doctor/machine_checks.hpp"
#include "app/doctor/report.hpp"
#include "app/doctor/wechat_checks.hpp"
#include "app/keyed_ledger.hpp"
#include "app/systemd.hpp"
#include "app/tls_files.hpp"
#include "core/token/store.hpp"
#include "net/asio_clock.hpp"

namespace onetap::app {
namespace {

namespace asio = boost::asio;

constexpr char help_text[] =
    "onetap doctor – checks what goes wrong in real life, and says what to do\n"
    "\n"
    "usage: onetap doctor [--json] [--offline] [OPTION of onetap serve…]\n"
    "\n"
    "It reads the same environment and options as onetap serve (onetap serve --help) and may run beside\n"
    "the server. It writes nothing to the ledger, uses no code, and ends no access_token.\n"
    "\n"
    "  --json      an array of {\"check\", \"app\"?, \"status\": ok|warning|failed|skipped, \"what\", "
    "\"advice\"}\n"
    "  --offline   leave out what asks WeChat\n"
    "  -h, --help  this text\n"
    "\n"
    "Exit status: 0 all well, 1 warnings, 2 failures.\n";

struct DoctorArguments {
  bool as_json = false;
  bool offline = false;
};

void append(Findings& all, Findings more) {
  for (Finding& finding : more) all.push_back(std::move(finding));
}

int report(Findings const& findings, DoctorArguments const& arguments) {
  std::string const text = arguments.as_json ? findings_as_json(findings)
                                             : render_findings(findings, Painter::for_standard_output());
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return exit_status_of(findings);
}

// "NAME: what is wrong; what would be right", where a quoted value may have "; " of its own.
Finding configuration_problem(std::string const& line) {
  if (line.starts_with("serve: "))
    return found_wrong("configuration", "doctor: takes options only, no other arguments",
                       "see onetap doctor --help");
  auto const end_of_what = line.rfind("; ");
  auto const last_quote = line.rfind('"');
  bool const is_in_value = last_quote != std::string::npos && end_of_what < last_quote;
  if (end_of_what == std::string::npos || is_in_value)
    return found_wrong("configuration", line, "see onetap serve --help, and onetap.env.example");
  return found_wrong("configuration", line.substr(0, end_of_what), line.substr(end_of_what + 2));
}

Findings judge_configuration(std::vector<std::string> const& warnings) {
  Findings findings;
  for (std::string const& line : warnings) {
    Finding finding = configuration_problem(line);
    finding.status = FindingStatus::warning;
    findings.push_back(std::move(finding));
  }
  if (findings.empty()) findings.push_back(found_well("configuration", "every setting can be used"));
  return findings;
}

std::vector<KeptToken> kept_tokens(Settings const& settings, core::WallTime now) {
  auto const database = storage::canonical_database(settings.database_path);
  auto const keyring = read_keyring(database, settings.data_key);
  std::vector<KeptToken> tokens;
  if (!keyring) return tokens;  // the check of the key says why
  for (core::StoredToken const& stored : storage::read_kept_tokens(database, now)) {
    auto const opened = keyring->open(core::crypto::SealedField::access_token, core::row_of_app(stored.appid),
                                      stored.sealed_token);
    if (opened)
      tokens.push_back({.appid = stored.appid, .token = core::AccessToken(std::string(opened->reveal()))});
  }
  return tokens;
}

int examine_all(Findings findings, Settings const& settings, DoctorArguments const& arguments) {
  asio::io_context loop(1);
  net::AsioClock clock(loop.get_executor());
  auto tls = load_wechat_tls(settings, {});
  if (!tls) {
    findings.push_back(found_wrong("wechat-tls", tls.error(), "name a file of PEM certificates, or none"));
    return report(findings, arguments);
  }
  WeChatExamination examination(loop.get_executor(), clock, settings, *std::move(tls),
                                kept_tokens(settings, clock.wall()));
  bool done = false;
  asio::co_spawn(loop, examination.run(), [&](std::exception_ptr const& broken, Findings found) {
    if (broken) std::rethrow_exception(broken);
    append(findings, std::move(found));
    done = true;
  });
  while (!done && loop.run_one() > 0) {
  }
  int const status = report(findings, arguments);
  // The resolver's thread would be waited for.
  if (examination.is_stuck()) std::_Exit(status);
  return status;
}

}  // namespace

int run_doctor_command(std::vector<std::string> arguments) {
  if (asks_for_help(arguments)) {
    std::fputs(help_text, stdout);
    return exit_done;
  }
  DoctorArguments const own{.as_json = std::erase(arguments, "--json") > 0,
                            .offline = std::erase(arguments, "--offline") > 0};
  Environment const environment = process_environment();
  auto const parsed = parse_settings(arguments, environment, read_text_file);
  Findings findings;
  if (!parsed) {
    for (std::string const& problem : parsed.error()) findings.push_back(configuration_problem(problem));
    findings.push_back(left_out("everything-else", "not looked at before the configuration can be used"));
    return report(findings, own);
  }
  Settings const& settings = parsed->settings;
  append(findings, judge_configuration(parsed->warnings));
  append(findings, examine_file_modes(secret_files(settings, environment, arguments)));
  append(findings, examine_listener(settings, wall_now()));
  append(findings, examine_push(settings));
  append(findings, examine_ledger(settings));
  append(findings, examine_disk(storage::canonical_database(settings.database_path)));
  findings.push_back(examine_descriptors(settings));
  if (own.offline || settings.sandbox) {
    findings.push_back(left_out("wechat", own.offline ? "--offline" : "the sandbox's is inside its server"));
    return report(findings, own);
  }
  return examine_all(std::move(findings), settings, own);
}

}  // namespace onetap::app
