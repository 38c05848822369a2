#pragma once

namespace onetap::core {

/// Faults that the simulation (tests/simulation) switches on, one at a time, in its own copy of these
/// sources: each must be caught, or its checks prove nothing. In every other build there is no switch, and
/// none is on.
enum class SeededBug {
  none,
  unshielded,           // a client that leaves ends its exchange
  anyone_may_follow,    // a duplicate in flight is answered whoever presents it
  no_single_flight,     // duplicates in flight are not noticed
  refused_token_kept,   // a refused token is not dropped
  turns_while_open,     // codes are sent although the circuit is open
  turns_without_bound,  // however many are under way
  trial_never_ends,     // an exchange that was to try the line, and was not sent, holds its place
};

#ifdef ONETAP_SEEDED_BUGS
[[nodiscard]] bool seeded_bug(SeededBug bug);
#else
[[nodiscard]] constexpr bool seeded_bug(SeededBug /*bug*/) { return false; }
#endif

}  // namespace onetap::core
