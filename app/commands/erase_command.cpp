#include "app/commands/erase_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"

namespace onetap::app {
namespace {

using Act = core::Result<core::admin::ErasePerson, std::string>;

Act by_phone(core::crypto::Keyring const& keyring) {
  auto const number = read_phone_number();
  if (!number) return Act(boost::system::in_place_error, number.error());
  return core::admin::ErasePerson{.phone_key = keyring.phone_key(*number), .user_key = std::nullopt};
}

Act by_openid(core::crypto::Keyring const& keyring, LedgerAccess const& access,
              std::string const& named_app) {
  auto const app = access.app(named_app);
  if (!app) return Act(boost::system::in_place_error, app.error());
  auto const openid = read_openid();
  if (!openid) return Act(boost::system::in_place_error, openid.error());
  return core::admin::ErasePerson{.phone_key = std::nullopt,
                                  .user_key = keyring.user_key(*app, *openid).digest};
}

}  // namespace

int run_erase_command(std::vector<std::string> arguments) {
  std::string database;
  std::string phone;
  std::string openid;
  std::string app;
  CLI::App options("a person's right: whatever points at them is erased; what was paid stays in the books",
                   "onetap erase");
  options.footer(
      "Without a server, a reader of the ledger keeps old pages in the write-ahead log: exit status 1, and\n"
      "the command is to be repeated. Backups are not touched: after restoring an older one, erase again.");
  options.add_option("--db", database, "the ledger's file; else ONETAP_DB");
  CLI::Option* const phone_option =
      options.add_option("--phone", phone, "-: the number comes from standard input")
          ->check(CLI::IsMember({"-"}));
  options.add_option("--openid", openid, "-: the user's openid comes from standard input")
      ->check(CLI::IsMember({"-"}))
      ->excludes(phone_option);
  options.add_option("--app", app, "with --openid: the appid; needed when the ledger knows several");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  if (phone.empty() && openid.empty()) return fail(exit_usage, "name whom: --phone - or --openid -");
  auto const access = access_ledger(database);
  if (!access) return exit_usage;
  if (auto const reports = access->reports(); !reports) return fail(exit_not_done, reports.error());
  auto const keyring = access->keyring();
  if (!keyring) return fail(exit_not_done, keyring.error());
  try {
    Act const act = phone.empty() ? by_openid(*keyring, *access, app) : by_phone(*keyring);
    if (!act) return fail(exit_usage, act.error());
    auto const done = access->administer({.act = *act, .at = wall_now()});
    if (!done) return fail(exit_not_done, done.error());
    std::cout << done->sentence << "\n";
    return exit_done;
  } catch (std::exception const& error) {
    return fail(exit_not_done, "the ledger cannot be used: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
