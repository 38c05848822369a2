#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/message.hpp"

namespace onetap::net {

using Handler = std::function<core::Task<Response>(Request const&)>;

/// Looks at the head of a request before its body is read, and may note there what it read; an answer refuses
/// it.
using Admission = std::function<std::optional<Response>(Request&)>;

/// Adds what every answer of a route carries.
using Annotation = std::function<void(Response&, Request const&)>;

enum class Body { none, json, any };

/// One line of the surface. HEAD is served wherever GET is. A segment "{id}" of the path stands for 1 to 18
/// digits, "{appid}" for 1 to 64 letters, digits, "_" and "-".
struct Route {
  std::string_view method;
  std::string_view path;
  Body body = Body::none;
  Handler handle;
  Admission admit{};
  Annotation annotate{};  // of answers that neither `handle` nor `admit` made
};

/// How refusals look is the service's to say: problem+json for pages, WeChat's manners for the sandbox.
using RefusalRenderer =
    std::function<Response(Refusal refusal, std::string_view allowed_methods, Request const& request)>;

class Router {
 public:
  Router(std::vector<Route> routes, RefusalRenderer render_refusal);

  struct Match {
    Route const* route = nullptr;  // null: refused
    Refusal refusal = Refusal::not_found;
    std::string allowed_methods{};  // for method_not_allowed, as the Allow field wants it
  };
  [[nodiscard]] Match match(std::string_view method, std::string_view path) const;
  /// Whether some route has this path, by whatever method.
  [[nodiscard]] bool knows(std::string_view path) const;
  [[nodiscard]] Response refuse(Refusal refusal, std::string_view allowed_methods,
                                Request const& request) const {
    return render_refusal_(refusal, allowed_methods, request);
  }
  [[nodiscard]] std::vector<Route> const& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  RefusalRenderer render_refusal_;
};

}  // namespace onetap::net
