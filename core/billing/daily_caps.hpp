#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/billing/quota.hpp"
#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::core {

/// ONETAP_TAPS_PER_USER_DAY, ONETAP_BUDGET_DAY: codes a day, by China's days; 0: off.
struct DailyLimits {
  std::int64_t taps_per_user = 0;
  std::int64_t budget = 0;  // of one mini program, both kinds together
};

/// The codes of one mini program's day, and whether they are as many as the operator wants: what the pages
/// are told before the tap. A code that comes is never refused for it.
class DailyCaps {
 public:
  explicit DailyCaps(DailyLimits limits) : limits_(limits) {}

  /// So many codes have come, of a user where there is one.
  void counted(std::optional<CallerKey> const& user, WallTime now, std::int64_t codes = 1);

  [[nodiscard]] std::optional<NoQuota> reached(std::optional<CallerKey> const& user, WallTime now) const;

 private:
  void begin_day(WallTime now);

  DailyLimits limits_;
  std::int64_t day_ = 0;
  std::int64_t codes_ = 0;
  std::map<CallerKey, std::int64_t> of_users_;  // limits::counted_users_max; those beyond are not limited
};

/// The number of China's day; days change at 16:00 UTC.
[[nodiscard]] std::int64_t china_day(WallTime time);
/// When it begins.
[[nodiscard]] WallTime china_midnight(WallTime time);

/// So many codes of one mini program and user have come.
struct CodesOfUser {
  std::string appid;
  std::optional<CallerKey> user;  // none: of nobody that is known
  std::int64_t codes = 0;
};

}  // namespace onetap::core
