#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/commands/alarms_command.hpp"
#include "app/commands/backup_command.hpp"
#include "app/commands/demo_command.hpp"
#include "app/commands/doctor_command.hpp"
#include "app/commands/erase_command.hpp"
#include "app/commands/key_command.hpp"
#include "app/commands/ledger_command.hpp"
#include "app/commands/pack_command.hpp"
#include "app/commands/reconcile_command.hpp"
#include "app/commands/replay_command.hpp"
#include "app/commands/sandbox_command.hpp"
#include "app/commands/serve_command.hpp"
#include "app/commands/verify_command.hpp"

namespace {

struct Command {
  std::string_view name;
  std::string_view help;
  int (*run)(std::vector<std::string> arguments);
};

constexpr std::array commands{
    Command{"serve", "run the server (serve --sandbox: with its own WeChat, no money)",
            onetap::app::run_serve_command},
    Command{"sandbox", "run WeChat's stand-in alone", onetap::app::run_sandbox_command},
    Command{"doctor", "check what goes wrong in real life, and say what to do",
            onetap::app::run_doctor_command},
    Command{"demo", "ten short scenes with a server and a WeChat of its own; no money",
            onetap::app::run_demo_command},
    Command{"replay", "play JSON scenarios against a running server", onetap::app::run_replay_command},
    Command{"ledger",
            "what the ledger knows: summary, daily, packs, in-doubt, show, find, statement, resolve, leak, "
            "refund",
            onetap::app::run_ledger_command},
    Command{"pack", "resource packs: add, price, list", onetap::app::run_pack_command},
    Command{"reconcile", "WeChat's count of each pack beside the ledger's, explained",
            onetap::app::run_reconcile_command},
    Command{"alarms", "what is left, how long it lasts, and what is wrong", onetap::app::run_alarms_command},
    Command{"verify", "check every invariant of the ledger", onetap::app::run_verify_command},
    Command{"backup", "copy the ledger, also while a server runs", onetap::app::run_backup_command},
    Command{"restore", "put a backup where a server will find it", onetap::app::run_restore_command},
    Command{"key", "rotate the data key", onetap::app::run_key_command},
    Command{"erase", "forget a person; the books stay", onetap::app::run_erase_command},
};

int help(FILE* out) {
  std::fputs("onetap – a WeChat mini program's phone-number codes, each exchanged exactly once\n\n", out);
  for (Command const& command : commands) {
    std::fprintf(out, "  onetap %-9s %s\n", std::string(command.name).c_str(),
                 std::string(command.help).c_str());
  }
  std::fputs("\nonetap COMMAND --help explains a command; onetap --version prints the version.\n", out);
  return out == stdout ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an error code, not the end
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return help(stderr);
  std::string const name = arguments.front();
  if (name == "--version") return std::puts("onetap " ONETAP_VERSION) < 0;
  if (name == "--help" || name == "-h" || name == "help") return help(stdout);
  auto const* const found = std::ranges::find(commands, name, &Command::name);
  if (found == commands.end()) {
    std::fprintf(stderr, "onetap: no command '%s'\n\n", name.c_str());
    return help(stderr);
  }
  arguments.erase(arguments.begin());
  return found->run(std::move(arguments));
}
