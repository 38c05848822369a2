#include "app/commands/reconcile_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/report_output.hpp"
#include "app/console.hpp"
#include "app/reconciliation.hpp"

namespace onetap::app {
namespace {

constexpr int exit_settled = 0;
constexpr int exit_unexplained = 1;
constexpr int exit_not_compared = 2;

struct ReconcileArguments {
  std::string database;
  std::string app;
  std::string day;
  std::string evidence;
  bool explains = false;
  Format format = Format::table;
};

/// What the figures are of, on standard error: beside a running server they are WeChat's of now.
void ask_wechat(LedgerAccess const& access) {
  auto const asked = access.ask_wechat();
  if (!asked) {
    std::cerr << "onetap: no server runs on this ledger: these are WeChat's figures of its last run\n";
  } else if (!*asked) {
    std::cerr << "onetap: WeChat was not asked now: " << asked->error() << "\n";
  } else {
    std::cerr << "onetap: " << (*asked)->sentence << "\n";
  }
}

void conclude(std::vector<Reconciled> const& all, ReconcileArguments const& arguments) {
  Painter const paint = Painter::for_standard_output();
  std::int64_t more = 0;
  std::int64_t less = 0;
  bool has_other_sizes = false;
  for (Reconciled const& each : all) {
    for (core::reconciliation::Finding const& finding : each.findings) {
      more += std::max<std::int64_t>(finding.unexplained, 0);
      less += std::max<std::int64_t>(-finding.unexplained, 0);
      has_other_sizes = has_other_sizes || finding.verdict == core::reconciliation::Verdict::size_mismatch;
    }
  }
  std::cout << "\n";
  if (more == 0 && less == 0 && !has_other_sizes) {
    std::cout << paint(Ink::green, "every unit is accounted for") << "\n";
    return;
  }
  if (more > 0)
    std::cout << paint(Ink::red, "WeChat charged " + std::to_string(more) + " more than is explained")
              << "\n";
  if (less > 0)
    std::cout << paint(Ink::red, "the ledger counts " + std::to_string(less) + " more than WeChat") << "\n";
  if (has_other_sizes) std::cout << paint(Ink::red, "a pack has another size at WeChat's") << "\n";
  if (!arguments.explains) std::cout << "--explain says what is known, line by line\n";
}

int compare(storage::Reports& reports, ReconcileArguments const& arguments) {
  std::optional<storage::Day> const day = day_of(arguments.day);
  if (!arguments.day.empty() && !day) return fail(exit_usage, "--day is a day like 2026-11-22");
  std::vector<Reconciled> const all = reconcile(reports, arguments.app, day);
  int status = is_settled(all) ? exit_settled : exit_unexplained;
  if (all.empty()) status = exit_not_compared;
  if (arguments.format == Format::json) std::cout << json_of(all);
  if (arguments.format == Format::csv) std::cout << render(table_of(all), Format::csv, {});
  if (arguments.format != Format::table) return status;
  if (all.empty()) {
    std::cout << (day ? "WeChat was not asked on that day: there is nothing to compare\n"
                      : "WeChat has named no pack yet: there is nothing to compare\n");
    return status;
  }
  std::cout << text_of(all, arguments.explains);
  conclude(all, arguments);
  return status;
}

int print_evidence(storage::Reports& reports, ReconcileArguments const& arguments) {
  std::optional<storage::Day> const day = day_of(arguments.evidence);
  if (!day) return fail(exit_usage, "--evidence takes a day like 2026-11-22");
  std::cout << render(
      reports.named("evidence", {arguments.app, core::unix_ms(day->from), core::unix_ms(day->until)}),
      arguments.format == Format::json ? Format::json : Format::csv, {});
  return exit_settled;
}

int run(LedgerAccess const& access, ReconcileArguments const& arguments) {
  auto reports = access.reports();
  if (!reports) return fail(exit_not_compared, reports.error());
  bool const is_of_the_past = !arguments.day.empty() && arguments.day < china_day(wall_now());
  if (arguments.evidence.empty() && !is_of_the_past) ask_wechat(access);
  return arguments.evidence.empty() ? compare(*reports, arguments) : print_evidence(*reports, arguments);
}

}  // namespace

int run_reconcile_command(std::vector<std::string> arguments) {
  ReconcileArguments parsed;
  CLI::App options(
      "WeChat's count of each pack beside the ledger's. Exit status: 0 it agrees or is explained, 1 "
      "something "
      "is unexplained, 2 it could not be compared",
      "onetap reconcile");
  options.add_option("--db", parsed.database, "the ledger's file; else ONETAP_DB");
  options.add_option("--app", parsed.app, "of this appid only");
  CLI::Option* const day =
      options.add_option("--day", parsed.day, "of one of China's days only, e.g. 2026-11-22");
  options.add_flag("--explain", parsed.explains, "each difference, line by line");
  options
      .add_option("--evidence", parsed.evidence,
                  "every code of this day, as CSV or JSON: the list that WeChat asks for in a ticket")
      ->excludes(day);
  add_format_option(options, parsed.format, "how it is printed");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(parsed.database);
  if (!access) return exit_usage;
  try {
    return run(*access, parsed);
  } catch (std::exception const& error) {  // a damaged file, or a disk that fails
    return fail(exit_not_compared, "the ledger cannot be read: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
