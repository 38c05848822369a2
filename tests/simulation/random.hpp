#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "core/clock.hpp"

namespace onetap::simulation {

/// Everything that is left to chance, from one seed: the same seed, the same run.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  [[nodiscard]] std::uint64_t number() { return engine_(); }
  [[nodiscard]] int below(int bound) {
    return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound));
  }
  [[nodiscard]] int between(int least, int most) { return least + below(most - least + 1); }
  [[nodiscard]] core::milliseconds ms_between(int least, int most) {
    return core::milliseconds(between(least, most));
  }
  [[nodiscard]] bool chance(int per_mille) { return below(1000) < per_mille; }

  template <class Value>
  [[nodiscard]] Value const& one_of(std::span<Value const> values) {
    return values[engine_() % values.size()];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace onetap::simulation
