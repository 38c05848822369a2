#include "net/api/routes.hpp"

#include <utility>

#include "net/api/problem_response.hpp"

namespace onetap::net {

Router public_routes(PhoneApi& phone) {
  auto const admit = [&phone](Request const& request) { return phone.admit(request); };
  auto const consume = [&phone](Request const& request) { return phone.consume(request); };
  return {
      {
          {.method = "POST", .path = "/phone/consume", .body = Body::json, .handle = consume, .admit = admit},
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
          },
          refusal_response};
}

}  // namespace onetap::net
