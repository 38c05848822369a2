#include "app/commands/alarms_command.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <iostream>
#include <map>

#include "app/commands/command_line.hpp"
#include "app/commands/report_output.hpp"
#include "app/console.hpp"
#include "core/alarm/alarm.hpp"
#include "core/billing/forecast.hpp"
#include "core/limits.hpp"
#include "storage/alarm_table.hpp"

namespace onetap::app {
namespace {

using storage::Table;
using storage::to_text;
using storage::Value;

struct AlarmsArguments {
  std::string database;
  std::string app;
  Format format = Format::table;
  bool all = false;
};

std::vector<Heading> const forecast_headings{
    {"kind", "kind"},
    {"units_left", "left"},
    {"percent_left", "%"},
    {"units_a_day", "a day"},
    {"days_left", "days"},
    {"units_unused", "will expire"},
    {"next_end", "next ends", true},
    {"as_of", "as of"},
};
std::vector<Heading> const alarm_headings{
    {"alarm", "alarm"},     {"severity", "severity"}, {"kind", "kind"},    {"what", "what"},
    {"raised_at", "since"}, {"ended_at", "until"},    {"sent_at", "sent"},
};

Value number_or_null(std::optional<double> const& number) {
  constexpr double tenth = 10;
  return number ? Value(std::round(*number * tenth) / tenth) : Value();
}

Value time_or_null(std::optional<core::WallTime> const& time) {
  return time ? Value(iso_utc(*time)) : Value();
}

std::vector<Value> row_of(core::Forecast const& forecast) {
  std::optional<core::WallTime> next_end;
  for (core::PackForecast const& pack : forecast.packs) {
    if (pack.ends && (!next_end || *pack.ends < *next_end)) next_end = pack.ends;
  }
  return {forecast.owner.appid,
          std::string(core::to_string(forecast.owner.kind)),
          forecast.units,
          forecast.units_left,
          std::int64_t{forecast.percent_left()},
          number_or_null(forecast.rates.ours_a_day),
          number_or_null(forecast.days_left),
          forecast.units_unused,
          time_or_null(next_end),
          iso_utc(forecast.as_of)};
}

/// By the ledger alone: WeChat's average is the running server's to know.
Table forecasts(LedgerAccess const& access, std::string const& app) {
  storage::Connection connection(access.database(), storage::Access::read_only);
  core::WallTime const now = wall_now();
  core::Spending spending;
  core::WallTime const since =
      core::WallTime(std::chrono::hours(core::hour_of(now))) - std::chrono::days(core::limits::spending_days);
  for (core::UnitsOfHour const& units : storage::read_spending(connection, 0, since).hours)
    spending.add(units);
  Table table{.columns = {"app_id", "kind", "units", "units_left", "percent_left", "units_a_day", "days_left",
                          "units_unused", "next_end", "as_of"},
              .rows = {}};
  for (core::LastUsage const& usage : storage::load_last_usage(connection, now)) {
    if (!usage.snapshot || (!app.empty() && usage.appid != app)) continue;
    core::SpendingRates const rates{
        .ours_a_day = spending.units_a_day({.appid = usage.appid, .kind = usage.kind}, now)};
    table.rows.push_back(row_of(core::forecast(*usage.snapshot, rates, now)));
  }
  return table;
}

// "errcode 88999, rid …", of a JSON object.
std::string facts_text(std::string const& json_text) {
  boost::system::error_code unreadable;
  core::json::value const read = core::json::parse(json_text, unreadable);
  std::string text;
  if (!read.is_object()) return text;
  for (auto const& [name, value] : read.get_object()) {
    auto const* const words = value.if_string();
    if (!text.empty()) text += ", ";
    auto const* const fraction = value.if_double();
    std::string told = words != nullptr ? printable(*words) : core::json::serialize(value);
    if (fraction != nullptr) told = to_text(number_or_null(*fraction));
    text += printable(name) + " " + told;
  }
  return text;
}

/// What each alarm that is on is about, and once what to do.
void explain(Table const& alarms) {
  bool const is_chinese = console_language() == core::Language::chinese;
  std::map<core::AlarmName, std::string> on;
  for (std::size_t row = 0; row < alarms.rows.size(); ++row) {
    auto const name = core::alarm_name_from(to_text(alarms.at(row, "alarm")));
    if (!name || !to_text(alarms.at(row, "ended_at")).empty()) continue;
    std::string const facts = facts_text(to_text(alarms.at(row, "facts")));
    on[*name] += facts.empty() ? "" : "  " + facts + "\n";
  }
  for (auto const& [name, facts] : on) {
    core::AlarmRule const& rule = core::rule_of(name);
    std::cout << "\n" << rule.text << ": " << (is_chinese ? rule.chinese : rule.english) << "\n" << facts;
  }
}

int show(LedgerAccess const& access, AlarmsArguments const& arguments) {
  auto reports = access.reports();
  if (!reports) return fail(exit_usage, reports.error());
  Table const foreseen = forecasts(access, arguments.app);
  Table const alarms = reports->named("alarms", {std::string_view(arguments.app), arguments.all ? 1 : 0});
  std::int64_t on = 0;
  for (std::size_t row = 0; row < alarms.rows.size(); ++row)
    on += to_text(alarms.at(row, "ended_at")).empty() ? 1 : 0;
  int const status = on > 0 ? exit_not_done : exit_done;
  if (arguments.format != Format::table) {
    std::cout << render(alarms, arguments.format, {});
    return status;
  }
  std::cout << (foreseen.rows.empty() ? "WeChat has told no figures yet\n"
                                      : render(foreseen, Format::table, forecast_headings));
  std::cout << "\n"
            << (alarms.rows.empty() ? "no alarm is on\n" : render(alarms, Format::table, alarm_headings));
  explain(alarms);
  return status;
}

}  // namespace

int run_alarms_command(std::vector<std::string> arguments) {
  AlarmsArguments parsed;
  CLI::App options(
      "what is left, how long it lasts, and what is wrong; exit status 1 while an alarm is on, 2 where the "
      "ledger cannot be read",
      "onetap alarms");
  options.add_option("--db", parsed.database, "the ledger's file; else ONETAP_DB");
  options.add_option("--app", parsed.app, "of this appid only");
  options.add_flag("--all", parsed.all, "also those that are over");
  add_format_option(options, parsed.format, "how alarms are printed; table has the forecast, too");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(parsed.database);
  if (!access) return exit_usage;
  try {
    return show(*access, parsed);
  } catch (std::exception const& error) {
    return fail(exit_usage, "the ledger cannot be read: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
