#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/clock.hpp"
#include "core/exchange/answer.hpp"
#include "core/limits.hpp"

namespace onetap::core {

/// Why no code is sent right now.
enum class OutageCause {
  untrusted_answers,  // several in a row, or half of the last ones, could not be trusted or did not come
  rate_limited,       // 45011, 45009
  misconfigured,      // the operator must act
  dead_token,         // WeChat refuses the very token that it gives
  clock_off,          // our clock is more than 5 minutes off WeChat's
};

inline constexpr std::array outage_causes{OutageCause::untrusted_answers, OutageCause::rate_limited,
                                          OutageCause::misconfigured, OutageCause::dead_token,
                                          OutageCause::clock_off};

[[nodiscard]] std::string_view to_string(OutageCause cause);

/// Keeps codes at the page, where they stay good, while sending them would lose them or do nothing: pure.
/// Open, it lets nothing through until its time; then a free call has to be answered (not after WeChat's own
/// "slower", nor after a refused configuration), and then one exchange. That one decides.
class CircuitBreaker {
 public:
  enum class Position {
    closed,      // everything goes
    open,        // nothing goes
    trial,       // one exchange may go
    trial_sent,  // it is under way; whoever comes meanwhile waits for it
  };

  [[nodiscard]] Position position(SteadyTime now) const;

  /// While open: when something is tried again.
  [[nodiscard]] SteadyTime opens_until() const { return until_; }
  /// While not closed: why.
  [[nodiscard]] OutageCause cause() const { return cause_; }
  /// True when it is for a free call to find out whether WeChat answers again.
  [[nodiscard]] bool wants_probe(SteadyTime now) const;

  /// In position trial: the one exchange goes. It ends in judged(…, true) or trial_unused().
  void begin_trial();
  /// It was not sent after all; another may.
  void trial_unused();

  /// What WeChat answered to an exchange. Those that were sent before it opened change nothing any more.
  void judged(Answer const& answer, bool is_trial, SteadyTime now, WallTime wall_now);
  void probed(bool trusted, SteadyTime now);

  void trip(OutageCause cause, SteadyTime now);

 private:
  void open(OutageCause cause, SteadyTime until);
  void open_longer(OutageCause cause, SteadyTime now);
  void close();
  [[nodiscard]] bool note(bool trusted);

  bool closed_ = true;
  bool probed_ = false;  // or nothing needs to be probed
  bool trial_sent_ = false;
  OutageCause cause_ = OutageCause::untrusted_answers;
  SteadyTime until_ = SteadyTime::min();
  milliseconds pause_{};  // the last one; zero: none yet
  std::size_t untrusted_in_a_row_ = 0;
  std::bitset<limits::breaker_window> untrusted_;  // of the last answers, the newest first
};

/// How long WeChat's "slower" lasts: 45011 counts by the minute, and after 45009, which counts by the day, we
/// look again in a minute.
[[nodiscard]] seconds until_next_minute(WallTime now);

}  // namespace onetap::core
