#pragma once

#include <string>
#include <variant>

#include "core/exchange/ledger.hpp"
#include "core/ledger_admin.hpp"

namespace onetap::storage {

/// The two times at one moment of the loop's thread.
struct Now {
  core::WallTime wall;
  core::SteadyTime steady;
};

struct FindCommand {
  core::Intent intent;
};

struct BeginCommand {
  core::Intent intent;
};

/// One call of a port, and the steady time at which it came.
struct Command {
  std::variant<FindCommand, BeginCommand, core::Resend, core::Settlement, core::admin::Command> action;
  core::SteadyTime steady;
};

struct Settled {};

/// The command broke a promise (an attempt that is not open, a change that is not in the table): nothing
/// of it was written.
struct Refused {
  std::string reason;
};

using CommandResult = std::variant<core::ledger::FindResult, core::ledger::BeginResult,
                                   std::optional<core::AttemptId>, Settled, core::admin::Answer, Refused>;

}  // namespace onetap::storage
