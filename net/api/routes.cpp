#include "net/api/routes.hpp"

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
  route.admit = [level, &load, admit = std::move(route.admit)](Request const& request) {
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
  auto& [gate, load, sessions, phone, push, quota, events] = surface;
  auto const log_in = [&sessions](Request const& request, Caller const& caller) {
    return sessions.open(request, caller);
  };
  auto const consume = [&phone](Request const& request, Caller const& caller) {
    return phone.consume(request, caller);
  };
  auto const decrypt = [&phone](Request const& request, Caller const& caller) {
    return phone.decrypt(request, caller);
  };
  auto const ask_quota = [&gate, quota](Request const& request, Caller const& caller) {
    return get_quota(request, caller, gate, quota);
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

Router operator_routes(OperatorApi& operators, DashboardApi& dashboard, Unreadiness unreadiness) {
  auto const ready = [unreadiness = std::move(unreadiness)](Request const& request) {
    return readyz(request, unreadiness);
  };
  auto const admit = [&operators](Request const& request) { return operators.admit(request); };
  auto const post = [&](std::string_view path, auto method) {
    auto handle = [&operators, method](Request const& request) { return (operators.*method)(request); };
    return Route{.method = "POST", .path = path, .body = Body::json, .handle = handle, .admit = admit};
  };
  auto const get = [&](std::string_view path, auto method) {
    auto handle = [&dashboard, method](Request const& request) { return (dashboard.*method)(request); };
    return Route{.method = "GET", .path = path, .handle = handle, .admit = admit};
  };
  std::vector<Route> routes{
      {.method = "GET", .path = "/healthz", .handle = healthz},
      {.method = "GET", .path = "/readyz", .handle = ready},
      get("/api/live", &DashboardApi::live),
      get("/api/summary", &DashboardApi::summary),
      get("/api/history", &DashboardApi::history),
      get("/api/consumptions", &DashboardApi::consumptions),
      get("/api/packs", &DashboardApi::packs),
      post("/api/consumptions/{id}/resolve", &OperatorApi::resolve),
      post("/api/commands/pack-add", &OperatorApi::add_pack),
      post("/api/commands/pack-price", &OperatorApi::price_pack),
      post("/api/commands/erase", &OperatorApi::erase),
      post("/api/commands/backup", &OperatorApi::back_up),
      post("/api/commands/key-rotate", &OperatorApi::rotate_key),
  };
  auto const admit_page = [&operators](Request const& request) { return operators.admit_page(request); };
  auto const file = [&dashboard](Request const& request) { return dashboard.file(request); };
  for (std::string const& path : dashboard.paths())
    routes.push_back({.method = "GET", .path = path, .handle = file, .admit = admit_page});
  return {std::move(routes), refusal_response};
}

}  // namespace onetap::net
