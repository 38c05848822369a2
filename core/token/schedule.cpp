#include "core/token/schedule.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::core {

void TokenSchedule::fetched(SteadyTime now, seconds lifetime, double jitter) {
  failures_ = 0;
  // expires_in can be as small as 300 (facts/wechat-api.md §3.1): "300 s early" alone would ask for ever.
  auto const ahead = std::max<seconds>(lifetime - limits::token_refresh_ahead, lifetime / 2);
  auto const spread = std::chrono::duration_cast<milliseconds>(ahead) / 10;
  auto const earlier = std::chrono::duration_cast<milliseconds>(spread * jitter);
  next_ = now + std::max<milliseconds>(ahead - earlier, limits::token_refresh_interval_min);
}

void TokenSchedule::failed(SteadyTime now) {
  constexpr int doublings_max = 6;
  auto const pause = limits::token_backoff_min * (1 << std::min(failures_, doublings_max));
  ++failures_;
  next_ = now + std::min<seconds>(pause, limits::token_backoff_max);
}

void TokenSchedule::misconfigured(SteadyTime now) { next_ = now + limits::token_misconfigured_retry; }

void TokenSchedule::dropped(SteadyTime now) {
  bool const already_asked_for = now < replacement_;
  if (already_asked_for) return;
  replacement_ = std::max<SteadyTime>(now, replacement_ + limits::token_refresh_interval_min);
  next_ = replacement_;
}

}  // namespace onetap::core
