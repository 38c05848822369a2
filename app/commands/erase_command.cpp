#include "app/commands/erase_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"

namespace onetap::app {

int run_erase_command(std::vector<std::string> arguments) {
  std::string database;
  std::string phone;
  std::string openid;
  CLI::App options("a person's right: whatever points at them is erased; what was paid stays in the books",
                   "onetap erase");
  options.add_option("--db", database, "the ledger's file; else ONETAP_DB");
  CLI::Option* const by_phone =
      options.add_option("--phone", phone, "-: the number comes from standard input")
          ->check(CLI::IsMember({"-"}));
  options.add_option("--openid", openid, "the user's")->excludes(by_phone);
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  if (!openid.empty())
    return fail(exit_not_done, "no consumption names a user yet: sessions come with a later version");
  if (phone.empty()) return fail(exit_usage, "name whom: --phone -");
  auto const access = access_ledger(database);
  if (!access) return exit_usage;
  if (auto const reports = access->reports(); !reports) return fail(exit_not_done, reports.error());
  auto const key = access->data_key();
  if (!key) return fail(exit_not_done, key.error());
  auto const number = read_phone_number();
  if (!number) return fail(exit_usage, number.error());
  core::admin::ErasePerson const act{.phone_key = keyring_of(*key).phone_key(*number),
                                     .user_key = std::nullopt};
  try {
    auto const done = access->administer({.act = act, .at = wall_now()});
    if (!done) return fail(exit_not_done, done.error());
    std::cout << done->sentence << "\n";
    return exit_done;
  } catch (std::exception const& error) {
    return fail(exit_not_done, "the ledger cannot be used: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
