#pragma once

#include <functional>
#include <optional>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::core {

/// Why a tap would be for nothing.
enum class NoQuota { exhausted, service, budget, user_limit };

enum class QuotaLevel { ok, low, exhausted, unknown };

/// What a page is told before the tap (contract, GET /phone/quota): never how many units there are.
struct Quota {
  std::optional<NoQuota> unavailable;  // none: available
  QuotaLevel level = QuotaLevel::unknown;
  std::optional<WallTime> as_of;  // of WeChat's figure
};

[[nodiscard]] constexpr std::string_view to_string(NoQuota reason) {
  switch (reason) {
    case NoQuota::exhausted: return "exhausted";
    case NoQuota::service: return "service";
    case NoQuota::budget: return "budget";
    case NoQuota::user_limit: break;
  }
  return "user_limit";
}

[[nodiscard]] constexpr std::string_view to_string(QuotaLevel level) {
  switch (level) {
    case QuotaLevel::ok: return "ok";
    case QuotaLevel::low: return "low";
    case QuotaLevel::exhausted: return "exhausted";
    case QuotaLevel::unknown: break;
  }
  return "unknown";
}

/// Answers from memory; of a user's own taps where there is one.
using QuotaSource =
    std::function<Quota(std::string_view appid, Kind kind, std::optional<CallerKey> const& user)>;

}  // namespace onetap::core
