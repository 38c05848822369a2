#include "net/server/router.hpp"

#include <utility>

namespace onetap::net {

Router::Router(std::vector<Route> routes, RefusalRenderer render_refusal)
    : routes_(std::move(routes)), render_refusal_(std::move(render_refusal)) {}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  std::string_view const wanted = method == "HEAD" ? "GET" : method;
  std::string allowed;
  for (Route const& route : routes_) {
    if (route.path != path) continue;
    if (route.method == wanted) return {.route = &route};
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method;
    if (route.method == "GET") allowed += ", HEAD";
  }
  if (allowed.empty()) return {.refusal = Refusal::not_found};
  return {.refusal = Refusal::method_not_allowed, .allowed_methods = std::move(allowed)};
}

}  // namespace onetap::net
