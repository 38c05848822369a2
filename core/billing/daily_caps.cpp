#include "core/billing/daily_caps.hpp"

#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr auto china_is_ahead = std::chrono::hours(8);
constexpr auto whole_day = std::chrono::hours(24);

}  // namespace

std::int64_t china_day(WallTime time) {
  auto const local = (time + china_is_ahead).time_since_epoch();
  return std::chrono::floor<std::chrono::days>(local).count();
}

WallTime china_midnight(WallTime time) { return WallTime(china_day(time) * whole_day) - china_is_ahead; }

void DailyCaps::counted(std::optional<CallerKey> const& user, WallTime now, std::int64_t codes) {
  begin_day(now);
  codes_ += codes;
  if (limits_.taps_per_user == 0 || !user) return;
  auto const found = of_users_.find(*user);
  if (found != of_users_.end()) {
    found->second += codes;
  } else if (of_users_.size() < limits::counted_users_max) {
    of_users_.emplace(*user, codes);
  }
}

std::optional<NoQuota> DailyCaps::reached(std::optional<CallerKey> const& user, WallTime now) const {
  if (china_day(now) != day_) return std::nullopt;
  if (limits_.budget > 0 && codes_ >= limits_.budget) return NoQuota::budget;
  if (limits_.taps_per_user == 0 || !user) return std::nullopt;
  auto const found = of_users_.find(*user);
  bool const is_enough = found != of_users_.end() && found->second >= limits_.taps_per_user;
  return is_enough ? std::optional(NoQuota::user_limit) : std::nullopt;
}

void DailyCaps::begin_day(WallTime now) {
  if (china_day(now) == day_) return;
  day_ = china_day(now);
  codes_ = 0;
  of_users_.clear();
}

}  // namespace onetap::core
