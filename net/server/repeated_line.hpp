#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/limits.hpp"
#include "core/log.hpp"

namespace onetap::net {

/// A warning about something that a stranger could make happen all the time: written at the first, then at
/// most once a minute, with how often it has happened since the line before.
class RepeatedLine {
 public:
  /// Clock and log outlive it; `msg` and `hint` are static text.
  RepeatedLine(core::Clock const& clock, core::Log const& log, std::string_view msg, std::string_view hint)
      : clock_(clock), log_(log), msg_(msg), hint_(hint) {}

  void happened(std::string_view listener) {
    ++count_;
    core::SteadyTime const now = clock_.steady();
    if (written_ && now - *written_ < core::limits::repeated_log_interval) return;
    written_ = now;
    log_.warn(msg_, {{"listener", listener}, {"count", std::exchange(count_, 0)}, {"hint", hint_}});
  }

 private:
  core::Clock const& clock_;
  core::Log const& log_;
  std::string_view msg_;
  std::string_view hint_;
  std::uint64_t count_ = 0;
  std::optional<core::SteadyTime> written_;
};

}  // namespace onetap::net
