#include "net/server/router.hpp"

#include <algorithm>
#include <utility>

namespace onetap::net {

namespace {

constexpr std::string_view id_segment = "{id}";

bool fits(std::string_view pattern, std::string_view path) {
  auto const id = pattern.find(id_segment);
  if (id == std::string_view::npos) return pattern == path;
  constexpr std::size_t digits_max = 18;  // of a positive 64-bit integer
  if (!path.starts_with(pattern.substr(0, id))) return false;
  std::string_view const rest = path.substr(id);
  auto const digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  return digits >= 1 && digits <= digits_max && rest.substr(digits) == pattern.substr(id + id_segment.size());
}

}  // namespace

Router::Router(std::vector<Route> routes, RefusalRenderer render_refusal)
    : routes_(std::move(routes)), render_refusal_(std::move(render_refusal)) {}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  std::string_view const wanted = method == "HEAD" ? "GET" : method;
  std::string allowed;
  for (Route const& route : routes_) {
    if (!fits(route.path, path)) continue;
    if (route.method == wanted) return {.route = &route};
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method;
    if (route.method == "GET") allowed += ", HEAD";
  }
  if (allowed.empty()) return {.refusal = Refusal::not_found};
  return {.refusal = Refusal::method_not_allowed, .allowed_methods = std::move(allowed)};
}

bool Router::knows(std::string_view path) const {
  return std::ranges::any_of(routes_, [path](Route const& route) { return fits(route.path, path); });
}

}  // namespace onetap::net
