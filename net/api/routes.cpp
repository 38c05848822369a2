#include "net/api/routes.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/api/gate.hpp"
#include "net/api/problem_response.hpp"
#include "net/api/quota.hpp"

namespace onetap::net {

namespace {

// Before anything is done for the request, its limits included.
Route shed_at(Shedding level, LoadMonitor const& load, Route route) {
  route.admit = [level, &load, admit = std::move(route.admit)](Request& request) {
    constexpr auto soon = core::seconds(2);
    if (load.level() < level) return admit(request);
    return std::optional(
        problem_response({.code = core::ProblemCode::server_busy, .retry_after = soon}, request));
  };
  return route;
}

}  // namespace

Router public_routes(PublicSurface surface) {
  using core::Caller;
  using core::RouteAccess;
  auto& [gate, load, sessions, phone, push, quota, keyring, events, presented] = surface;
  auto const log_in = [&sessions](Request const& request, Caller const& caller) {
    return sessions.open(request, caller);
  };
  auto const consume = [&phone, presented](Request const& request, Caller const& caller) {
    if (!caller.is_backend) presented(request);
    return phone.consume(request, caller);
  };
  auto const decrypt = [&phone](Request const& request, Caller const& caller) {
    return phone.decrypt(request, caller);
  };
  auto const ask_quota = [&gate, &keyring, quota](Request const& request, Caller const& caller) {
    return get_quota(request, caller, {.gate = gate, .keyring = keyring, .quota = quota});
  };
  auto const push_route = [&](std::string_view method, std::string_view path, Body body, auto answer) {
    auto const handle = [&push, answer](Request const& request) { return (push.*answer)(request); };
    auto const admit = [&push](Request const& request) { return push.admit(request); };
    Route route{.method = method, .path = path, .body = body, .handle = handle, .admit = admit};
    return shed_at(Shedding::all, load, std::move(route));
  };
  auto const tell_events = [&events](Request const& request, Caller const& caller) {
    return events.record(request, caller);
  };
  constexpr RouteAccess login_access{.session = RouteAccess::Session::never};
  constexpr RouteAccess page_access{};
  auto log_in_route = guarded(gate, "POST", "/session", Body::json, login_access, log_in);
  auto consume_route = guarded(gate, "POST", "/phone/consume", Body::json, consume_access, consume);
  auto decrypt_route = guarded(gate, "POST", "/phone/decrypt", Body::json, decrypt_access, decrypt);
  auto quota_route = guarded(gate, "GET", "/phone/quota", Body::none, page_access, ask_quota);
  auto events_route = guarded(gate, "POST", "/phone/events", Body::json, events_access, tell_events);
  return {{
              shed_at(Shedding::logins, load, std::move(log_in_route)),
              shed_at(Shedding::all, load, std::move(consume_route)),
              shed_at(Shedding::all, load, std::move(decrypt_route)),
              shed_at(Shedding::logins, load, std::move(quota_route)),
              push_route("GET", "/wechat/push", Body::none, &PushApi::check_url),
              push_route("POST", "/wechat/push", Body::any, &PushApi::receive),
              push_route("GET", "/wechat/push/{appid}", Body::none, &PushApi::check_url),
              push_route("POST", "/wechat/push/{appid}", Body::any, &PushApi::receive),
              shed_at(Shedding::logins, load, std::move(events_route)),
              {.method = "GET", .path = "/healthz", .handle = healthz},
          },
          refusal_response};
}

Router operator_routes(OperatorSurface surface) {
  OperatorApi& operators = surface.operators;
  std::vector<Route> routes;
  auto const admit = [&operators](Request const& request) { return operators.admit(request); };
  auto const get = [&](std::string_view path, Handler handle) {
    routes.push_back({.method = "GET", .path = path, .handle = std::move(handle), .admit = admit});
  };
  auto const post = [&](std::string_view path, Handler handle) {
    routes.push_back(
        {.method = "POST", .path = path, .body = Body::json, .handle = std::move(handle), .admit = admit});
  };
  auto const command = [&operators](auto method) -> Handler {
    return [&operators, method](Request const& request) { return (operators.*method)(request); };
  };
  auto const ready = [unreadiness = std::move(surface.unreadiness)](Request const& request) {
    return readyz(request, unreadiness);
  };
  routes.push_back({.method = "GET", .path = "/healthz", .handle = healthz});
  routes.push_back({.method = "GET", .path = "/readyz", .handle = ready});
  post("/api/consumptions/{id}/resolve", command(&OperatorApi::resolve));
  post("/api/commands/pack-add", command(&OperatorApi::add_pack));
  post("/api/commands/pack-price", command(&OperatorApi::price_pack));
  post("/api/commands/leak", command(&OperatorApi::book_leak));
  post("/api/commands/refund", command(&OperatorApi::book_refund));
  post("/api/commands/erase", command(&OperatorApi::erase));
  post("/api/commands/backup", command(&OperatorApi::back_up));
  post("/api/commands/key-rotate", command(&OperatorApi::rotate_key));
  if (surface.reconciliation != nullptr) {
    ReconciliationApi& reconciliation = *surface.reconciliation;
    get("/api/reconciliation",
        [&reconciliation](Request const& request) { return reconciliation.show(request); });
    post("/api/reconcile", [&reconciliation](Request const& request) { return reconciliation.ask(request); });
  }
  if (surface.alarms != nullptr) {
    AlarmsApi& alarms = *surface.alarms;
    get("/api/forecast", [&alarms](Request const& request) { return alarms.forecast(request); });
    get("/api/alarms", [&alarms](Request const& request) { return alarms.alarms(request); });
    get("/api/top", [&alarms](Request const& request) { return alarms.top(request); });
  }
  if (surface.metrics_text) {
    get("/metrics",
        [text = std::move(surface.metrics_text)](Request const& request) { return metrics(request, text); });
  }
  if (surface.dashboard != nullptr) {
    DashboardApi& dashboard = *surface.dashboard;
    auto const question = [&dashboard](auto method) -> Handler {
      return [&dashboard, method](Request const& request) { return (dashboard.*method)(request); };
    };
    get("/api/live", question(&DashboardApi::live));
    get("/api/summary", question(&DashboardApi::summary));
    get("/api/history", question(&DashboardApi::history));
    get("/api/consumptions", question(&DashboardApi::consumptions));
    get("/api/packs", question(&DashboardApi::packs));
    auto const admit_page = [&operators](Request const& request) { return operators.admit_page(request); };
    auto const file = [&dashboard](Request const& request) { return dashboard.file(request); };
    for (std::string const& path : dashboard.paths())
      routes.push_back({.method = "GET", .path = path, .handle = file, .admit = admit_page});
  }
  std::ranges::move(surface.others, std::back_inserter(routes));
  return {std::move(routes), refusal_response};
}

}  // namespace onetap::net
