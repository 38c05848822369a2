#include "app/commands/backup_command.hpp"

#include <iostream>

#include "app/commands/command_line.hpp"
#include "app/commands/progress_bar.hpp"
#include "app/data_key.hpp"
#include "storage/backup.hpp"

namespace onetap::app {
namespace {

storage::Progress shown_by(ProgressBar& bar) {
  return [&bar](std::int64_t done, std::int64_t total) { bar.show(done, total); };
}

int say(storage::BackupReport const& report, std::string const& what) {
  std::cout << what << ": " << report.consumptions << " consumptions, " << report.bytes
            << " bytes, verified\n";
  return exit_done;
}

}  // namespace

int run_backup_command(std::vector<std::string> arguments) {
  std::string database;
  std::string target;
  CLI::App options("a verified copy of the ledger, also while a server runs; without sealed numbers",
                   "onetap backup");
  options.add_option("--db", database, "the ledger's file; else ONETAP_DB");
  options.add_option("FILE", target, "the copy; must not exist")->required();
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(database);
  if (!access) return exit_usage;
  ProgressBar bar("copying");
  auto const made = storage::make_backup(access->database(), target, wall_now(), shown_by(bar));
  if (!made) return fail(exit_not_done, made.error());
  std::cerr
      << "onetap: keep a copy of the data key safe, apart from the backups: without it they do not open\n";
  return say(*made, target);
}

int run_restore_command(std::vector<std::string> arguments) {
  std::string backup;
  std::string database;
  CLI::App options("puts a backup where a server will find it", "onetap restore");
  options.add_option("BACKUP", backup, "a file that onetap backup made")->required();
  options.add_option("--db", database, "the new ledger's file; must not exist")->required();
  if (auto const status = parse_command_line(options, std::move(arguments))) return *status;
  auto const access = access_ledger(database);
  if (!access) return exit_usage;
  auto const key = access->data_key();
  if (!key) return fail(exit_not_done, key.error());
  core::Digest const fingerprint = core::crypto::Keyring::fingerprint_of(bytes_of(*key));
  ProgressBar bar("restoring");
  auto const restored = storage::restore_backup(backup, access->database(), fingerprint, shown_by(bar));
  if (!restored) return fail(exit_not_done, restored.error());
  std::cerr << "onetap: the first server on it exchanges nothing for 6 minutes: codes younger than the "
               "backup are not in it; whoever was erased since the backup is in it again: erase them again\n";
  return say(*restored, database);
}

}  // namespace onetap::app
