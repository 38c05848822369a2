#pragma once

#include "net/api/health.hpp"
#include "net/api/operator.hpp"
#include "net/api/phone.hpp"
#include "net/server/router.hpp"

namespace onetap::net {

/// The public listener's surface. `phone` outlives the router.
[[nodiscard]] Router public_routes(PhoneApi& phone);

/// The operator listener's surface. `operators` outlives the router.
[[nodiscard]] Router operator_routes(OperatorApi& operators, Unreadiness unreadiness);

}  // namespace onetap::net
