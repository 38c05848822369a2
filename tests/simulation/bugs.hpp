#pragma once

#include "core/seeded_bug.hpp"

namespace onetap::simulation {

/// Faults that the simulation's own ports can have, one at a time.
enum class Bug {
  none,
  // the ledger's
  call_before_t1,     // T1 is acknowledged before it is durable
  answer_before_t2,   // and so is T2
  outcome_dropped,    // T2 is acknowledged, and never written
  doubt_not_sticky,   // a code in doubt may be tried again
  owner_forgotten,    // whoever presents a code is taken for its caller
  code_forgotten,     // a code that comes again is taken for a new one
  resend_unrecorded,  // the second attempt is not written
  t2_never_told,      // T2 is written, and never acknowledged
  rescue_dropped,     // acknowledged, and never written
  // recovery's
  recovery_retries,  // what was found open may be tried again
  recovery_left_out,
  // the WeChat client's
  timeout_as_system_error,  // "no answer in time" becomes errcode -1
  timeout_as_not_sent,      // or "no byte left"
  system_error_as_refusal,  // -1 becomes 45011
  unknown_as_invalid,       // an errcode nobody knows becomes 40029
  invalid_as_refusal,       // 40029 becomes 45011
  foreign_watermark_taken,  // as if it were ours
  sends_twice,              // where an answer is lost
  answers_mixed_up,         // a number goes to who asked next
  late_answer,              // the deadline is not kept
  date_ignored,             // our clock is not compared with WeChat's
  // who starts things
  token_asked_for_thrice,
  prober_not_started,
};

/// What is wrong in this run.
struct Bugs {
  Bug ours = Bug::none;
  core::SeededBug of_core = core::SeededBug::none;

  [[nodiscard]] bool has(Bug bug) const { return ours == bug; }
};

}  // namespace onetap::simulation
