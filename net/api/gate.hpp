#pragma once

#include <functional>

#include "core/gate/gatekeeper.hpp"
#include "net/server/router.hpp"

namespace onetap::net {

/// Handles a request whose caller the gate knows.
using GuardedHandler = std::function<core::Task<Response>(Request const&, core::Caller const&)>;

/// A route behind the gate: limits, origin, session and signature, media type, in the contract's order;
/// then the handler. Answers carry the caller's RateLimit fields, and 401 what would be right.
[[nodiscard]] Route guarded(core::Gatekeeper& gate, std::string_view method, std::string_view path, Body body,
                            core::RouteAccess access, GuardedHandler handle);

}  // namespace onetap::net
