#pragma once

#include "core/clock.hpp"

namespace onetap::core {

/// When to ask WeChat for an access_token: pure, so that two days of it take no time to test.
/// A token is replaced ahead of its end, failures back off, and nothing makes it ask in a storm.
class TokenSchedule {
 public:
  explicit TokenSchedule(SteadyTime now) : next_(now) {}

  [[nodiscard]] SteadyTime next_fetch() const { return next_; }

  /// `jitter` in [0, 1) spreads the refreshes of many servers over the tenth before the due time.
  void fetched(SteadyTime now, seconds lifetime, double jitter);

  /// What hindered it is gone, as far as the operator can tell.
  void due(SteadyTime now) { next_ = now; }

  /// No answer, or one that may be otherwise next time: 1 s, doubling to 60 s.
  void failed(SteadyTime now);

  /// Nothing changes until the operator has acted.
  void misconfigured(SteadyTime now);

  /// WeChat refused the token in an exchange: at once, but not again within ten seconds.
  void dropped(SteadyTime now);

 private:
  SteadyTime next_;
  SteadyTime replacement_ = SteadyTime::min();  // when the fetch is due that a drop last asked for
  int failures_ = 0;
};

}  // namespace onetap::core
