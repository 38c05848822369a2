#include "net/server/router.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace onetap::net {

namespace {

/// What may stand in a path for a named segment of a route's.
struct Segment {
  std::string_view name;
  std::string_view characters;
  std::size_t size_max;
};

constexpr std::array segments{
    Segment{.name = "{id}", .characters = "0123456789", .size_max = 18},  // of a positive 64-bit integer
    Segment{.name = "{appid}",
            .characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-",
            .size_max = 64}};

bool fits(std::string_view pattern, std::string_view path) {
  auto const at = pattern.find('{');
  if (at == std::string_view::npos) return pattern == path;
  if (!path.starts_with(pattern.substr(0, at))) return false;
  std::string_view const rest = path.substr(at);
  return std::ranges::any_of(segments, [&](Segment const& segment) {
    if (!pattern.substr(at).starts_with(segment.name)) return false;
    auto const size = std::min(rest.find_first_not_of(segment.characters), rest.size());
    return size >= 1 && size <= segment.size_max &&
           rest.substr(size) == pattern.substr(at + segment.name.size());
  });
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
