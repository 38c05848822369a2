#include "app/commands/ledger_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/report_output.hpp"
#include "app/console.hpp"
#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace admin = core::admin;
using storage::Reports;
using storage::Table;
using storage::to_text;

struct LedgerArguments {
  std::string database;
  std::string app;
  std::string since;
  Format format = Format::table;

  std::int64_t id = 0;
  std::string as;
  std::string note;
  std::int64_t units = 0;
  std::string month;
  std::string phone;
  std::string openid;
  std::string request_id;
  std::string out_id;
};

constexpr std::int64_t rows_max = 1000;  // of a list for people

std::vector<Heading> const summary_headings{
    {"kind", "kind"},
    {"codes", "codes"},
    {"ok", "ok"},
    {"rejected", "rejected"},
    {"retryable", "retryable"},
    {"in_doubt", "doubt"},
    {"lost", "lost"},
    {"free", "free"},
    {"wechat_calls", "calls"},
    {"amount_yuan", "yuan"},
    {"amount_estimated_yuan", "estimated"},
};
std::vector<Heading> const daily_headings{
    {"day", "day"},           {"kind", "kind"},
    {"codes", "codes"},       {"ok", "ok"},
    {"rejected", "rejected"}, {"retryable", "retryable"},
    {"in_doubt", "doubt"},    {"lost", "lost"},
    {"free", "free"},         {"wechat_calls", "calls"},
    {"amount_yuan", "yuan"},  {"amount_estimated_yuan", "estimated"},
};
std::vector<Heading> const pack_headings{
    {"pack_id", "pack"},       {"kind", "kind"},
    {"source", "source"},      {"units", "units"},
    {"available", "left"},     {"used", "used"},
    {"doubt", "doubt"},        {"lost", "lost"},
    {"price_yuan", "price"},   {"amount_used_yuan", "spent"},
    {"ends_at", "ends", true},
};
std::vector<Heading> const doubt_headings{
    {"id", "id"},       {"kind", "kind"},           {"cause", "cause"},
    {"since", "since"}, {"seconds_left", "left s"}, {"rid", "rid"},
};
std::vector<Heading> const statement_headings{
    {"kind", "kind"},       {"pack_id", "pack"},     {"opening", "opening"}, {"bought", "bought"},
    {"used", "used"},       {"lost", "lost"},        {"doubt", "doubt"},     {"expired", "expired"},
    {"closing", "closing"}, {"amount_yuan", "yuan"},
};

/// The two filters that every report takes, as parameters ?1 and ?2 of its SQL; empty: all.
struct Filters {
  std::string app;
  std::string since_day;   // China's
  std::string since_time;  // ISO 8601 UTC
};

int print(Table const& table, LedgerArguments const& arguments, std::vector<Heading> const& headings) {
  if (table.rows.empty() && arguments.format == Format::table) {
    std::cout << "nothing\n";
    return exit_done;
  }
  std::cout << render(table, arguments.format, headings);
  return exit_done;
}

void tell_gaps(Reports& reports) {
  Table const gaps = reports.named("gaps");
  for (std::size_t row = 0; row < gaps.rows.size(); ++row) {
    std::cerr << "onetap: gap " << china_time(to_text(gaps.at(row, "since"))) << " – "
              << china_time(to_text(gaps.at(row, "until")))
              << ": what WeChat counted then is in no row of this ledger (onetap reconcile --explain)\n";
  }
}

int summary(Reports& reports, LedgerArguments const& arguments, Filters const& filters) {
  tell_gaps(reports);
  Table const table =
      reports.named("summary", {std::string_view(filters.app), std::string_view(filters.since_day)});
  return print(table, arguments, summary_headings);
}

int daily(Reports& reports, LedgerArguments const& arguments, Filters const& filters) {
  Table const table =
      reports.named("daily", {std::string_view(filters.app), std::string_view(filters.since_day)});
  return print(table, arguments, daily_headings);
}

int packs(Reports& reports, LedgerArguments const& arguments, Filters const& filters) {
  tell_gaps(reports);
  Table const table =
      reports.named("packs", {std::string_view(filters.app), std::string_view(filters.since_time)});
  return print(table, arguments, pack_headings);
}

int in_doubt(Reports& reports, LedgerArguments const& arguments, Filters const& filters) {
  Table const table =
      reports.named("in_doubt", {std::string_view(filters.app), std::string_view(filters.since_time)});
  return print(table, arguments, doubt_headings);
}

bool is_month(std::string_view text) {
  return text.size() == 7 && parse_since(std::string(text) + "-01", core::WallTime()).has_value();
}

int statement(Reports& reports, LedgerArguments const& arguments, Filters const& filters) {
  if (!is_month(arguments.month)) return fail(exit_usage, "--month is a month like 2026-11");
  if (!arguments.since.empty()) return fail(exit_usage, "a statement is of one --month, not --since");
  Table const table =
      reports.named("statement", {std::string_view(filters.app), std::string_view(arguments.month)});
  if (arguments.month >= china_day(wall_now()).substr(0, arguments.month.size()))
    std::cerr << "onetap: " << arguments.month << " is not over: its lines can still change\n";
  return print(table, arguments, statement_headings);
}

void print_fields(Table const& table, std::string const& indent) {
  std::vector<std::vector<std::string>> lines;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    for (std::string const& column : table.columns) {
      std::string const text = to_text(table.at(row, column));
      if (!text.empty()) std::cout << indent << padded(column, 14) << printable(china_time(text)) << "\n";
    }
    if (row + 1 < table.rows.size()) std::cout << "\n";
  }
}

int show(LedgerAccess const& access, Reports& reports, LedgerArguments const& arguments) {
  Table const consumption = reports.named("consumption", {arguments.id});
  if (consumption.rows.empty())
    return fail(exit_not_done, "there is no consumption " + std::to_string(arguments.id));
  if (arguments.format == Format::csv) return print(consumption, arguments, {});
  Table const attempts = reports.named("attempts_of", {arguments.id});
  Table const entries = reports.named("entries_of", {arguments.id});
  if (arguments.format == Format::json) {
    std::cout << "[\n  " << json_object(consumption, 0, {{"attempts", attempts}, {"entries", entries}})
              << "\n]\n";
    return exit_done;
  }
  std::cout << fate_of(consumption, 0, console_language(), access.is_held()) << "\n\n";
  print_fields(consumption, "");
  if (!attempts.rows.empty()) std::cout << "\n";
  print_fields(attempts, "  ");
  if (!entries.rows.empty()) std::cout << "\n";
  print_fields(entries, "  ");
  return exit_done;
}

/// Whom `find` looks for, by what the ledger knows of them.
struct Person {
  std::optional<core::Digest> phone_key{};
  std::optional<core::Digest> user_key{};
};

/// None when it was said on standard error why not; `status` is then the exit status.
std::optional<Person> person_named_by(LedgerAccess const& access, LedgerArguments const& arguments,
                                      int& status) {
  auto const refuse = [&status](int with, std::string const& sentence) {
    status = fail(with, sentence);
    return std::nullopt;
  };
  Person person;
  if (arguments.phone.empty() && arguments.openid.empty()) return person;
  auto const keyring = access.keyring();
  if (!keyring) return refuse(exit_not_done, keyring.error());
  if (!arguments.phone.empty()) {
    auto const number = read_phone_number();
    if (!number) return refuse(exit_usage, number.error());
    person.phone_key = keyring->phone_key(*number);
    return person;
  }
  auto const app = access.app(arguments.app);
  if (!app) return refuse(exit_usage, app.error());
  auto const openid = read_openid();
  if (!openid) return refuse(exit_usage, openid.error());
  person.user_key = keyring->user_key(*app, *openid).digest;
  return person;
}

/// What `find` says when there is nothing, to whom it may concern.
std::string_view nothing_found(bool by_phone) {
  bool const chinese = console_language() == core::Language::chinese;
  if (by_phone) {
    return chinese
               ? "没有找到：没有交付过这样的号码。存疑、被拒绝或丢失的 code 不带号码；请改用 --openid、"
                 "--out-id 或 --since 查找。\n"
               : "Nothing is recorded: no number like this was handed out. Codes in doubt, rejected or lost "
                 "carry no number: look by --openid, --out-id or --since.\n";
  }
  return chinese ? "没有找到：该 code 未到达本服务；请用户重新点击。\n"
                 : "Nothing is recorded: no such code reached this server; tell the user to tap again.\n";
}

int find(LedgerAccess const& access, Reports& reports, LedgerArguments const& arguments,
         Filters const& filters) {
  bool const by_person = !arguments.phone.empty() || !arguments.openid.empty();
  if (!by_person && arguments.request_id.empty() && arguments.out_id.empty() && arguments.since.empty())
    return fail(exit_usage, "name what to find: --phone -, --openid -, --request-id, --out-id or --since");
  int status = exit_done;
  std::optional<Person> const person = person_named_by(access, arguments, status);
  if (!person) return status;
  Table const table =
      reports.named("find", {std::string_view(filters.app), std::string_view(filters.since_time),
                             person->phone_key, person->user_key, std::string_view(arguments.request_id),
                             std::string_view(arguments.out_id), rows_max});
  if (std::ssize(table.rows) == rows_max)
    std::cerr << "onetap: these are the newest " << rows_max << "; name more to find the others\n";
  int const found = table.rows.empty() ? exit_not_done : exit_done;
  if (arguments.format != Format::table) {
    std::cout << render(table, arguments.format, {});
    return found;
  }
  if (table.rows.empty()) std::cout << nothing_found(!arguments.phone.empty());
  bool const server_runs = access.is_held();
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    std::cout << fate_of(table, row, console_language(), server_runs) << "\n";
  return found;
}

int act(LedgerAccess const& access, decltype(admin::Command::act) what) {
  auto const done = access.administer({.act = std::move(what), .at = wall_now()});
  if (!done) return fail(exit_not_done, done.error());
  std::cout << done->sentence << "\n";
  return exit_done;
}

int resolve(LedgerAccess const& access, LedgerArguments const& arguments) {
  return act(access, admin::Resolve{.consumption = arguments.id,
                                    .as = arguments.as == "free" ? core::State::free : core::State::lost,
                                    .note = arguments.note});
}

int leak(LedgerAccess const& access, LedgerArguments const& arguments) {
  return act(access, admin::BookLeak{.pack = arguments.id, .units = arguments.units, .note = arguments.note});
}

int refund(LedgerAccess const& access, LedgerArguments const& arguments) {
  admin::BookRefund refund{.pack = arguments.id, .units = std::nullopt, .note = arguments.note};
  if (arguments.units != 0) refund.units = arguments.units;
  return act(access, std::move(refund));
}

/// The reports by name; `show`, `find` and the acts need more than these have.
struct Subcommands {
  CLI::App* summary = nullptr;
  CLI::App* daily = nullptr;
  CLI::App* packs = nullptr;
  CLI::App* in_doubt = nullptr;
  CLI::App* statement = nullptr;
  CLI::App* show = nullptr;
  CLI::App* find = nullptr;
  CLI::App* resolve = nullptr;
  CLI::App* leak = nullptr;
  CLI::App* refund = nullptr;
};

void declare_pack_acts(CLI::App& options, Subcommands& commands, LedgerArguments& arguments) {
  commands.leak = options.add_subcommand("leak", "units that WeChat charged and of which no code ever came");
  commands.refund =
      options.add_subcommand("refund", "units of a pack that WeChat took back, and their money");
  for (CLI::App* const command : {commands.leak, commands.refund}) {
    command->add_option("PACK", arguments.id, "as onetap pack list names it")->required();
    command->add_option("--note", arguments.note, "how it is known")->required();
  }
  CLI::Range const units(std::int64_t{1}, core::limits::pack_units_max);
  commands.leak->add_option("UNITS", arguments.units, "how many")->required()->check(units);
  commands.refund->add_option("UNITS", arguments.units, "else all that is left")->check(units);
}

Subcommands declare(CLI::App& options, LedgerArguments& arguments) {
  options.add_option("--db", arguments.database, "the ledger's file; else ONETAP_DB");
  options.add_option("--app", arguments.app, "of this appid only");
  options.add_option("--since", arguments.since,
                     "from 2026-11-22 (China's midnight) on, or back 7d, 24h, 30m");
  add_format_option(options, arguments.format, "how it is printed");
  options.require_subcommand(1);
  options.fallthrough();
  Subcommands commands;
  commands.summary = options.add_subcommand("summary", "codes, outcomes and money in all");
  commands.daily = options.add_subcommand("daily", "the same by China's days");
  commands.packs = options.add_subcommand("packs", "what was bought, and what is left of it");
  commands.in_doubt =
      options.add_subcommand("in-doubt", "codes of which nobody knows whether they were charged");
  commands.statement = options.add_subcommand("statement", "a month for the books");
  commands.statement->add_option("--month", arguments.month, "e.g. 2026-11")->required();
  commands.show = options.add_subcommand("show", "everything about one consumption");
  commands.show->add_option("ID", arguments.id)->required();
  commands.find = options.add_subcommand("find", "what became of a code, and what to tell the user");
  CLI::Option* const phone =
      commands.find->add_option("--phone", arguments.phone, "-: the number comes from standard input")
          ->check(CLI::IsMember({"-"}));
  commands.find->add_option("--openid", arguments.openid, "-: the user's openid comes from standard input")
      ->check(CLI::IsMember({"-"}))
      ->excludes(phone);
  commands.find->add_option("--request-id", arguments.request_id, "X-Request-Id of the first request");
  commands.find->add_option("--out-id", arguments.out_id, "the business's own id");
  commands.resolve =
      options.add_subcommand("resolve", "end a doubt: WeChat charged (lost) or did not (free)");
  commands.resolve->add_option("ID", arguments.id)->required();
  commands.resolve->add_option("AS", arguments.as, "lost or free")
      ->required()
      ->check(CLI::IsMember({"lost", "free"}));
  commands.resolve->add_option("--note", arguments.note, "how it is known")->required();
  declare_pack_acts(options, commands, arguments);
  return commands;
}

int run(Subcommands const& commands, LedgerAccess const& access, LedgerArguments const& arguments) {
  Filters filters{.app = arguments.app, .since_day = {}, .since_time = {}};
  if (!arguments.since.empty()) {
    auto const since = parse_since(arguments.since, wall_now());
    if (!since) return fail(exit_usage, "--since is a day like 2026-11-22, or 7d, 24h, 30m");
    filters.since_day = china_day(*since);
    filters.since_time = iso_utc(*since);
  }
  auto reports = access.reports();
  if (!reports) return fail(exit_not_done, reports.error());
  if (commands.resolve->parsed()) return resolve(access, arguments);
  if (commands.leak->parsed()) return leak(access, arguments);
  if (commands.refund->parsed()) return refund(access, arguments);
  if (commands.summary->parsed()) return summary(*reports, arguments, filters);
  if (commands.daily->parsed()) return daily(*reports, arguments, filters);
  if (commands.packs->parsed()) return packs(*reports, arguments, filters);
  if (commands.in_doubt->parsed()) return in_doubt(*reports, arguments, filters);
  if (commands.statement->parsed()) return statement(*reports, arguments, filters);
  if (commands.show->parsed()) return show(access, *reports, arguments);
  return find(access, *reports, arguments, filters);
}

}  // namespace

int run_ledger_command(std::vector<std::string> arguments) {
  LedgerArguments parsed;
  CLI::App options("what the ledger knows; reads beside a running server", "onetap ledger");
  Subcommands const commands = declare(options, parsed);
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(parsed.database);
  if (!access) return exit_usage;
  try {
    return run(commands, *access, parsed);
  } catch (std::exception const& error) {  // a damaged file, or a disk that fails
    return fail(exit_not_done, "the ledger cannot be read: " + std::string(error.what()));
  }
}

}  // namespace onetap::app
