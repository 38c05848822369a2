#pragma once

#include <string_view>

#include "core/exchange/problem.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// A problem as the client gets it: application/problem+json in the language it asked for.
[[nodiscard]] Response problem_response(core::Problem const& problem, Request const& request);

/// What never reached a handler, as the contract words it.
[[nodiscard]] Response refusal_response(Refusal refusal, std::string_view allowed_methods,
                                        Request const& request);

}  // namespace onetap::net
