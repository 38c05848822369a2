#pragma once

#include <optional>
#include <string_view>

#include "core/clock.hpp"

namespace onetap::core {

/// "Mon, 23 Nov 2026 03:00:00 GMT" (RFC 9110 §5.6.7, IMF-fixdate); none for anything else.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

/// How far our clock is off WeChat's, by the Date of its last answer and the steady time since: a clock that
/// is put right, or jumps, is noticed without another answer.
class ClockSkew {
 public:
  /// What is no date tells nothing.
  void observe(std::string_view date, SteadyTime now);

  /// WeChat's clock minus ours, to a second or so; none before its first answer.
  [[nodiscard]] std::optional<seconds> offset(WallTime wall_now, SteadyTime now) const;

  /// Two minutes or more: the operator should know.
  [[nodiscard]] bool is_off(WallTime wall_now, SteadyTime now) const;
  /// Five minutes or more: numbers would be refused as stale, and codes lost.
  [[nodiscard]] bool is_unusable(WallTime wall_now, SteadyTime now) const;

 private:
  struct Observation {
    WallTime theirs;
    SteadyTime at;
  };
  std::optional<Observation> last_;
};

}  // namespace onetap::core
