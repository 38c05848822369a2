#include "app/commands/key_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"

namespace onetap::app {

int run_key_command(std::vector<std::string> arguments) {
  std::string database;
  std::string new_key_file;
  CLI::App options("the data key, under which the ledger's secrets are sealed", "onetap key");
  options.add_option("--db", database, "the ledger's file; else ONETAP_DB");
  options.require_subcommand(1);
  options.fallthrough();
  CLI::App* const rotate =
      options.add_subcommand("rotate",
                             "another data key, also while a server runs; the old one opens nothing "
                             "afterwards, and codes and people stay known");
  rotate->add_option(
      "--new-key-file", new_key_file,
      "where ONETAP_DATA_KEY is configured: a file with the new key (openssl rand -base64 32)");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(database);
  if (!access) return exit_usage;
  try {
    auto const done = access->rotate_key(new_key_file);
    if (!done) return fail(exit_not_done, done.error());
    std::cout << done->sentence << "\n";
    return exit_done;
  } catch (std::exception const& error) {
    return fail(exit_not_done, "the ledger cannot be used: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
