#include "core/exchange/circuit_breaker.hpp"

#include <algorithm>

namespace onetap::core {
namespace {

bool is_trusted(Verdict verdict) { return verdict != Verdict::doubt && verdict != Verdict::not_sent; }

bool needs_probe(OutageCause cause) {
  return cause != OutageCause::rate_limited && cause != OutageCause::misconfigured;
}

}  // namespace

std::string_view to_string(OutageCause cause) {
  switch (cause) {
    case OutageCause::untrusted_answers: return "untrusted_answers";
    case OutageCause::rate_limited: return "rate_limited";
    case OutageCause::misconfigured: return "misconfigured";
    case OutageCause::dead_token: return "dead_token";
    case OutageCause::clock_off: break;
  }
  return "clock_off";
}

seconds until_next_minute(WallTime now) {
  constexpr auto minute = seconds(60);
  return minute - std::chrono::floor<seconds>(now).time_since_epoch() % minute;
}

CircuitBreaker::Position CircuitBreaker::position(SteadyTime now) const {
  if (closed_) return Position::closed;
  if (now < until_ || !probed_) return Position::open;
  return trial_sent_ ? Position::trial_sent : Position::trial;
}

bool CircuitBreaker::wants_probe(SteadyTime now) const { return !closed_ && !probed_ && now >= until_; }

void CircuitBreaker::begin_trial() { trial_sent_ = true; }
void CircuitBreaker::trial_unused() { trial_sent_ = false; }

void CircuitBreaker::judged(Answer const& answer, bool is_trial, SteadyTime now, WallTime wall_now) {
  bool const decides = closed_ || (is_trial && trial_sent_);
  if (!decides) return;
  trial_sent_ = false;
  bool const enough_untrusted = note(is_trusted(answer.verdict));
  switch (answer.verdict) {
    case Verdict::rate_limited: return open(OutageCause::rate_limited, now + until_next_minute(wall_now));
    case Verdict::misconfigured:
      return open(OutageCause::misconfigured, now + limits::breaker_misconfigured_pause);
    default: break;
  }
  if (is_trusted(answer.verdict)) {
    if (!closed_) close();
  } else if (!closed_ || enough_untrusted) {
    open_longer(OutageCause::untrusted_answers, now);
  }
}

void CircuitBreaker::probed(bool trusted, SteadyTime now) {
  if (!wants_probe(now)) return;
  if (trusted) {
    probed_ = true;
  } else {
    open_longer(cause_, now);
  }
}

void CircuitBreaker::trip(OutageCause cause, SteadyTime now) {
  if (position(now) != Position::open) open_longer(cause, now);
}

void CircuitBreaker::open_longer(OutageCause cause, SteadyTime now) {
  pause_ = std::clamp<milliseconds>(2 * pause_, limits::breaker_pause_min, limits::breaker_pause_max);
  open(cause, now + pause_);
}

void CircuitBreaker::open(OutageCause cause, SteadyTime until) {
  closed_ = false;
  trial_sent_ = false;
  probed_ = !needs_probe(cause);
  cause_ = cause;
  until_ = until;
}

void CircuitBreaker::close() { *this = CircuitBreaker(); }

// True when there are too many of them.
bool CircuitBreaker::note(bool trusted) {
  untrusted_in_a_row_ = trusted ? 0 : untrusted_in_a_row_ + 1;
  untrusted_ <<= 1;
  untrusted_.set(0, !trusted);
  return untrusted_in_a_row_ >= limits::breaker_untrusted_in_a_row ||
         untrusted_.count() >= limits::breaker_window / 2;
}

}  // namespace onetap::core
