#pragma once

#include "net/api/alarms.hpp"
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
  std::function<void(Request const&)> presented = [](Request const&) {
  };  // a code, by a page; for its address
};

/// The public listener's surface.
[[nodiscard]] Router public_routes(PublicSurface surface);

/// The operator listener's surface. `operators` and `alarms` outlive the router; null: those are not served.
[[nodiscard]] Router operator_routes(OperatorApi& operators, Unreadiness unreadiness,
                                     AlarmsApi* alarms = nullptr);

}  // namespace onetap::net
