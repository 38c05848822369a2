#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/simulation/bugs.hpp"
#include "tests/simulation/witness.hpp"

namespace onetap::simulation {

/// What happened in one or many episodes.
struct Tally {
  std::int64_t codes = 0;
  std::int64_t presentations = 0;
  std::int64_t calls = 0;
  std::int64_t numbers = 0;  // codes whose number was heard
  std::int64_t in_doubt = 0;
  std::int64_t crashes = 0;
  std::int64_t clock_jumps = 0;
  std::int64_t steps = 0;
  int calls_at_once_max = 0;
  std::array<int, awaits> crashes_at{};  // exchanges, by what they waited for

  Tally& operator+=(Tally const& other);
};

struct EpisodeResult {
  Tally tally;
  std::uint64_t digest = 0;           // of every event, in order
  std::optional<std::string> broken;  // which promise, at which step, and the code's history
  std::string broken_rule;
};

/// One database, the runs of the server on it, WeChat and the people with their codes, from nothing until all
/// is at rest. The same seed makes the same episode, event by event.
[[nodiscard]] EpisodeResult run_episode(std::uint64_t seed, int codes, Bugs bugs = {});

/// Of the run's seed: that of its n-th episode.
[[nodiscard]] std::uint64_t episode_seed(std::uint64_t seed, int episode);

}  // namespace onetap::simulation
