#pragma once

#include "net/api/dashboard.hpp"
#include "net/api/events.hpp"
#include "net/api/health.hpp"
#include "net/api/operator.hpp"
#include "net/api/phone.hpp"
#include "net/api/push.hpp"
#include "net/api/session.hpp"
#include "net/server/load_monitor.hpp"
#include "net/server/router.hpp"

namespace onetap::net {

/// What the public listener's routes are made of; all of it outlives the router.
struct PublicSurface {
  core::Gatekeeper& gate;
  LoadMonitor const& load;
  SessionApi& sessions;
  PhoneApi& phone;
  PushApi& push;
  core::QuotaSource quota;
  EventsApi& events;
};

/// The public listener's surface.
[[nodiscard]] Router public_routes(PublicSurface surface);

/// The operator listener's surface. `operators` and `dashboard` outlive the router.
[[nodiscard]] Router operator_routes(OperatorApi& operators, DashboardApi& dashboard,
                                     Unreadiness unreadiness);

}  // namespace onetap::net
