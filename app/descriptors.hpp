#pragma once

#include <cstddef>

#include "app/settings.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// Operators hold so many connections at most.
inline constexpr std::size_t operator_connections_max = 64;

/// Whose lines to WeChat there are: each mini program has calls of its own, and the sandbox is the other end
/// of each line, in the same process.
struct DescriptorNeeds {
  std::size_t mini_programs = 1;
  bool with_sandbox = false;
};

[[nodiscard]] inline DescriptorNeeds descriptor_needs(Settings const& settings) {
  return {.mini_programs = settings.mini_programs.size(), .with_sandbox = settings.sandbox};
}

/// What the server holds at most beside the connections of its public listener.
[[nodiscard]] std::size_t descriptors_beside_connections(DescriptorNeeds needs);

/// How many of the wanted connections fit so many descriptors: those that codes need are never given away.
[[nodiscard]] std::size_t connections_that_fit(std::size_t connections_max, std::size_t descriptors,
                                               DescriptorNeeds needs);

/// Raises the process's limit as far as is wanted and allowed. How many connections fit it: where that is
/// fewer than `connections_max`, a warning says so.
[[nodiscard]] std::size_t provide_descriptors(std::size_t connections_max, DescriptorNeeds needs,
                                              core::Log const& log);

}  // namespace onetap::app
