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

Router operator_routes(Unreadiness unreadiness) {
  auto const ready = [unreadiness = std::move(unreadiness)](Request const& request) {
    return readyz(request, unreadiness);
  };
  return {{
              {.method = "GET", .path = "/healthz", .handle = healthz},
              {.method = "GET", .path = "/readyz", .handle = ready},
          },
          refusal_response};
}

}  // namespace onetap::net
