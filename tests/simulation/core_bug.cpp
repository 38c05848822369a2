#include "tests/simulation/core_bug.hpp"

namespace onetap {
namespace {

// The switch itself has to be one for the whole program: core asks for it by a free function.
core::SeededBug switched_on =
    core::SeededBug::none;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

}  // namespace

bool core::seeded_bug(SeededBug bug) { return bug == switched_on; }

simulation::CoreBug::CoreBug(core::SeededBug bug) { switched_on = bug; }
simulation::CoreBug::~CoreBug() { switched_on = core::SeededBug::none; }

}  // namespace onetap
