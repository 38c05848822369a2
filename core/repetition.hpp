#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "core/clock.hpp"
#include "core/limits.hpp"

namespace onetap::core {

/// Of something that may happen all the time: when it is worth a line again. The first time, then at most
/// once in limits::repeated_log_interval.
class Repetition {
 public:
  /// How often it has happened untold since it was told last; none: this time it is not told either.
  [[nodiscard]] std::optional<std::uint64_t> happened(SteadyTime now) {
    if (told_ && now - *told_ < limits::repeated_log_interval) {
      ++untold_;
      return std::nullopt;
    }
    told_ = now;
    return std::exchange(untold_, 0);
  }

 private:
  std::uint64_t untold_ = 0;
  std::optional<SteadyTime> told_;
};

}  // namespace onetap::core
