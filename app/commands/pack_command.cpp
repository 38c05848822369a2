#include "app/commands/pack_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/ledger_command.hpp"
#include "app/commands/report_output.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;

struct PackArguments {
  std::string database;
  std::string app;
  std::string kind = "quick";
  bool trial = false;
  std::int64_t units = 0;
  std::int64_t used_before = 0;
  std::string price;
  std::string starts;
  std::string ends;
  std::string wx_pkg_id;
  std::int64_t pack = 0;
};

int act(LedgerAccess const& access, decltype(admin::Command::act) what) {
  auto const done = access.administer({.act = std::move(what), .at = wall_now()});
  if (!done) return fail(exit_not_done, done.error());
  std::cout << done->sentence << "\n";
  return exit_done;
}

int add(LedgerAccess const& access, PackArguments const& arguments) {
  auto const app = access.app(arguments.app);
  if (!app) return fail(exit_usage, app.error());
  admin::AddPack pack{.appid = *app,
                      .kind = arguments.kind == "realtime" ? core::Kind::realtime : core::Kind::quick,
                      .trial = arguments.trial,
                      .units = arguments.units,
                      .used_before = arguments.used_before,
                      .price_micro_yuan = std::nullopt,
                      .starts = std::nullopt,
                      .ends = std::nullopt,
                      .wx_pkg_id = arguments.wx_pkg_id};
  if (!arguments.price.empty()) {
    pack.price_micro_yuan = parse_yuan(arguments.price);
    if (!pack.price_micro_yuan)
      return fail(exit_usage, "--price is yuan for the whole pack, e.g. 300 or 299.99");
  }
  auto const day = [](std::string const& text) {
    return text.size() == 10 ? parse_since(text, core::WallTime()) : std::nullopt;
  };
  if (!arguments.starts.empty() && !(pack.starts = day(arguments.starts)))
    return fail(exit_usage, "--starts is a day like 2026-11-22");
  if (!arguments.ends.empty() && !(pack.ends = day(arguments.ends)))
    return fail(exit_usage, "--ends is a day like 2027-11-22");
  // Its last day counts to its end.
  if (pack.ends) *pack.ends += std::chrono::hours(24);
  return act(access, std::move(pack));
}

int price(LedgerAccess const& access, PackArguments const& arguments) {
  auto const paid = parse_yuan(arguments.price);
  if (!paid) return fail(exit_usage, "the price is yuan for the whole pack, e.g. 300 or 299.99");
  return act(access, admin::PricePack{.pack = arguments.pack, .price_micro_yuan = *paid});
}

}  // namespace

int run_pack_command(std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments.front() == "list") {
    arguments.front() = "packs";
    return run_ledger_command(std::move(arguments));
  }
  PackArguments parsed;
  CLI::App options("the resource packs that units come from", "onetap pack");
  options.add_option("--db", parsed.database, "the ledger's file; else ONETAP_DB");
  options.require_subcommand(1);
  options.fallthrough();
  CLI::App* const adding = options.add_subcommand("add", "a pack, where WeChat cannot be asked");
  adding->add_option("--app", parsed.app, "the appid; needed when the ledger knows several");
  adding->add_option("--kind", parsed.kind, "quick or realtime")->check(CLI::IsMember({"quick", "realtime"}));
  adding->add_flag("--trial", parsed.trial, "WeChat's trial pack: costs nothing, burns first");
  adding->add_option("--units", parsed.units, "how many units it has")->required();
  adding->add_option("--used", parsed.used_before, "how many of them WeChat has counted already");
  adding->add_option("--price", parsed.price, "yuan for the whole pack; may be told later");
  adding->add_option("--starts", parsed.starts, "first day, e.g. 2026-11-22");
  adding->add_option("--ends", parsed.ends, "last day");
  adding->add_option("--wx-pkg-id", parsed.wx_pkg_id, "WeChat's pkgId");
  CLI::App* const pricing = options.add_subcommand("price", "what was paid for a pack");
  pricing->add_option("PACK", parsed.pack)->required();
  pricing->add_option("YUAN", parsed.price)->required();
  options.add_subcommand("list", "as onetap ledger packs");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(parsed.database);
  if (!access) return exit_usage;
  try {
    return adding->parsed() ? add(*access, parsed) : price(*access, parsed);
  } catch (std::exception const& error) {
    return fail(exit_not_done, "the ledger cannot be used: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
