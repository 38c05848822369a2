#pragma once

#include "core/seeded_bug.hpp"

namespace onetap::simulation {

/// Switches on one fault of the simulation's copy of core, until it goes.
class CoreBug {
 public:
  explicit CoreBug(core::SeededBug bug);
  CoreBug(CoreBug const&) = delete;
  CoreBug& operator=(CoreBug const&) = delete;
  ~CoreBug();
};

}  // namespace onetap::simulation
