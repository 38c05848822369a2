#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap backup FILE`, also while a server runs. Exit 0, 1 (not made), 2 (usage).
[[nodiscard]] int run_backup_command(std::vector<std::string> arguments);

/// `onetap restore BACKUP --db NEW`. Exit 0, 1 (not restored), 2 (usage).
[[nodiscard]] int run_restore_command(std::vector<std::string> arguments);

}  // namespace onetap::app
