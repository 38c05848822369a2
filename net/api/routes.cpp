#include "net/api/routes.hpp"

#include <utility>

#include "net/api/gate.hpp"
#include "net/api/problem_response.hpp"
#include "net/api/quota.hpp"

namespace onetap::net {

Router public_routes(PublicSurface surface) {
  using core::Caller;
  using core::RouteAccess;
  auto& [gate, sessions, phone, quota] = surface;
  auto const log_in = [&sessions](Request const& request, Caller const& caller) {
    return sessions.open(request, caller);
  };
  auto const consume = [&phone](Request const& request, Caller const& caller) {
    return phone.consume(request, caller);
  };
  auto const decrypt = [&phone](Request const& request, Caller const& caller) {
    return phone.decrypt(request, caller);
  };
  auto const ask_quota = [quota](Request const& request, Caller const& /*caller*/) {
    return get_quota(request, quota);
  };
  constexpr RouteAccess login_access{.session = RouteAccess::Session::never};
  constexpr RouteAccess page_access{};
  return {{
              guarded(gate, "POST", "/session", Body::json, login_access, log_in),
              guarded(gate, "POST", "/phone/consume", Body::json, consume_access, consume),
              guarded(gate, "POST", "/phone/decrypt", Body::json, decrypt_access, decrypt),
              guarded(gate, "GET", "/phone/quota", Body::none, page_access, ask_quota),
              {.method = "GET", .path = "/healthz", .handle = healthz},
          },
          refusal_response};
}

Router operator_routes(OperatorApi& operators, Unreadiness unreadiness) {
  auto const ready = [unreadiness = std::move(unreadiness)](Request const& request) {
    return readyz(request, unreadiness);
  };
  auto const admit = [&operators](Request const& request) { return operators.admit(request); };
  auto const post = [&](std::string_view path, auto method) {
    auto handle = [&operators, method](Request const& request) { return (operators.*method)(request); };
    return Route{.method = "POST", .path = path, .body = Body::json, .handle = handle, .admit = admit};
  };
  return {{
              {.method = "GET", .path = "/healthz", .handle = healthz},
              {.method = "GET", .path = "/readyz", .handle = ready},
              post("/api/consumptions/{id}/resolve", &OperatorApi::resolve),
              post("/api/commands/pack-add", &OperatorApi::add_pack),
              post("/api/commands/pack-price", &OperatorApi::price_pack),
              post("/api/commands/erase", &OperatorApi::erase),
              post("/api/commands/backup", &OperatorApi::back_up),
              post("/api/commands/key-rotate", &OperatorApi::rotate_key),
          },
          refusal_response};
}

}  // namespace onetap::net
