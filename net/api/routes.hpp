#pragma once

#include <vector>

#include "net/api/alarms.hpp"
#include "net/api/dashboard.hpp"
#include "net/api/events.hpp"
#include "net/api/health.hpp"
#include "net/api/operator.hpp"
#include "net/api/phone.hpp"
#include "net/api/push.hpp"
#include "net/api/reconciliation.hpp"
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
  core::crypto::Keyring const& keyring;
  EventsApi& events;
  std::function<void(Request const&)> presented = [](Request const&) {
  };  // a code, by a page; for its address
};

/// The public listener's surface.
[[nodiscard]] Router public_routes(PublicSurface surface);

/// What the operator listener's routes are made of; what is pointed to outlives the router, and what is not
/// there is not served.
struct OperatorSurface {
  OperatorApi& operators;
  Unreadiness unreadiness;
  ReconciliationApi* reconciliation = nullptr;
  AlarmsApi* alarms = nullptr;
  DashboardApi* dashboard = nullptr;
  MetricsText metrics_text{};
  std::vector<Route> others{};
};

/// The operator listener's surface.
[[nodiscard]] Router operator_routes(OperatorSurface surface);

}  // namespace onetap::net
