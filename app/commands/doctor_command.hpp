#pragma once

#include <string>
#include <vector>

namespace onetap::app {

/// `onetap doctor`: checks what goes wrong in real life, and says what to do. Exit 0 all well, 1 warnings,
/// 2 failures (also a configuration that cannot be used). Writes nothing to the ledger, uses no code, ends no
/// access_token.
[[nodiscard]] int run_doctor_command(std::vector<std::string> arguments);

}  // namespace onetap::app
