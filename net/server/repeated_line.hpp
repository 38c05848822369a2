#pragma once

#include <string_view>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/repetition.hpp"

namespace onetap::net {

/// A warning about something that a stranger could make happen all the time: written at the first, then at
/// most once a minute, with how often it has happened since the line before.
class RepeatedLine {
 public:
  /// Clock and log outlive it; `msg` and `hint` are static text.
  RepeatedLine(core::Clock const& clock, core::Log const& log, std::string_view msg, std::string_view hint)
      : clock_(clock), log_(log), msg_(msg), hint_(hint) {}

  void happened(std::string_view listener) {
    auto const untold = repetition_.happened(clock_.steady());
    if (untold) log_.warn(msg_, {{"listener", listener}, {"count", *untold + 1}, {"hint", hint_}});
  }

 private:
  core::Clock const& clock_;
  core::Log const& log_;
  std::string_view msg_;
  std::string_view hint_;
  core::Repetition repetition_;
};

}  // namespace onetap::net
