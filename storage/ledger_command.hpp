#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/billing/events.hpp"
#include "core/billing/usage.hpp"
#include "core/exchange/ledger.hpp"
#include "core/gate/session_store.hpp"
#include "core/ledger_admin.hpp"
#include "core/token/store.hpp"
#include "storage/event_table.hpp"

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

struct SessionKeysCommand {
  core::CallerKey user;
};

struct TraceCommand {
  core::CodeKey code_key;
};

struct SettleLateEventsCommand {
  std::vector<LateEvent> events;
};

/// One call of a port, and the steady time at which it came.
struct Command {
  std::variant<FindCommand, BeginCommand, core::Resend, core::Settlement, core::admin::Command,
               core::LoginRow, core::SessionChanges, SessionKeysCommand, core::Decryption, core::Rescue,
               core::StoredToken, TraceCommand, core::PageEvents, SettleLateEventsCommand,
               core::UsageSnapshot, core::PushedUsage, core::AlarmChanges>
      action;
  core::SteadyTime steady;
};

/// It is durable, and there is nothing to say about it.
struct Settled {};

/// There was no room, or no time: nothing was read or written.
struct NotDone {};

/// The command broke a promise (an attempt that is not open, a change that is not in the table): nothing
/// of it was written.
struct Refused {
  std::string reason;
};

using EventsResult = core::Result<core::EventCounts, core::EventsRefused>;

using CommandResult =
    std::variant<core::ledger::FindResult, core::ledger::BeginResult, core::ledger::RecordResult,
                 std::optional<core::AttemptId>, Settled, core::admin::Answer, std::vector<core::SealedBytes>,
                 core::ledger::Trace, EventsResult, core::UsageKept, NotDone, Refused>;

}  // namespace onetap::storage
