#include "app/commands/verify_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/progress_bar.hpp"
#include "storage/lock_file.hpp"

namespace onetap::app {
namespace {

constexpr int exit_clean = 0;
constexpr int exit_violations = 1;
constexpr int exit_unreadable = 2;

void list(storage::Table const& table, std::string_view what) {
  for (std::vector<storage::Value> const& row : table.rows) {
    std::cout << what << ": " << storage::to_text(row.at(0)) << ", id " << storage::to_text(row.at(1)) << ": "
              << storage::to_text(row.at(2)) << "\n";
  }
}

int verify(LedgerAccess const& access) {
  auto reports = access.reports();
  if (!reports) return fail(exit_unreadable, reports.error());
  storage::Verification found;
  {
    ProgressBar bar("verifying");
    bool const server_runs = storage::find_lock_holder(access.database()).has_value();
    found = reports->verify(server_runs,
                            [&bar](std::int64_t done, std::int64_t total) { bar.show(done, total); });
  }
  for (std::string const& damage : found.damaged_pages) std::cout << "damaged: " << damage << "\n";
  list(found.violations, "violated");
  list(found.notes, "note (the next start puts it right)");
  std::size_t const faults = found.damaged_pages.size() + found.violations.rows.size();
  if (found.is_clean()) {
    std::cout << access.database().string() << ": clean\n";
    return exit_clean;
  }
  std::cout << access.database().string() << ": " << faults << " violation" << (faults == 1 ? "" : "s")
            << "\n";
  return exit_violations;
}

}  // namespace

int run_verify_command(std::vector<std::string> arguments) {
  std::string database;
  CLI::App options("checks every invariant of the ledger, and the file itself", "onetap verify");
  options.add_option("--db", database, "the ledger's file; else ONETAP_DB");
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(database);
  if (!access) return exit_unreadable;
  try {
    return verify(*access);
  } catch (std::exception const& error) {
    return fail(exit_unreadable,
                "the ledger " + access->database().string() + " cannot be read: " + error.what());
  }
}

}  // namespace onetap::app
