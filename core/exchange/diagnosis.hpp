#pragma once

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// Why WeChat may have refused a code, which gives one errcode for every cause (facts/wechat-api.md §1.3): by
/// what can be seen of it, and by what the ledger knows. Never Reason::none.
[[nodiscard]] Reason diagnose(Code const& code, ledger::Trace const& trace, WallTime now);

}  // namespace onetap::core
