#pragma once

#include "core/clock.hpp"
#include "core/exchange/machine.hpp"
#include "core/exchange/problem.hpp"

namespace onetap::core {

/// What a client hears of an exchange that yielded no number. `now` tells how long a minute's limit lasts.
[[nodiscard]] Problem problem_for(Answer const& answer, std::optional<Unready> because, WallTime now);
[[nodiscard]] Problem problem_for(ledger::Stored const& stored);
[[nodiscard]] Problem problem_for(ledger::NotYours const& not_yours);
[[nodiscard]] Problem problem_for(Unready const& unready);
/// Nothing was sent; after `retry_after` the same code is really tried.
[[nodiscard]] Problem wechat_unavailable(seconds retry_after);
[[nodiscard]] Problem storage_unavailable();
[[nodiscard]] Problem server_busy();

}  // namespace onetap::core
