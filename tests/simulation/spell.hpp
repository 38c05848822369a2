#pragma once

#include <span>
#include <string_view>

#include "tests/simulation/fate.hpp"

namespace onetap::simulation {

struct Range {
  int least = 0;
  int most = 0;
};

/// How the world is for some seconds. Chances are per mille.
struct Spell {
  std::string_view name;
  int faults = 0;               // of a call: one of `fates`
  std::span<Fate const> fates;  // none: any
  Range answer_ms{15, 120};     // WeChat's
  Range ledger_ms{1, 6};        // until durable
  int no_line = 30;             // no connection at hand
  int line_fails = 0;           // and none to be had
  int token_faults = 10;        // of a request for a token
  int tokens_revoked = 0;       // of a call: somebody fetches a token by force
  bool token_is_dead = false;   // refused, and given again
  int disk_full = 0;            // of a T1 or a re-send
  Range gap_ms{0, 60};          // between codes
};

[[nodiscard]] std::span<Spell const> spells();
[[nodiscard]] Spell const& calm();

}  // namespace onetap::simulation
