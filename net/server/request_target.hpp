#pragma once

#include <string>
#include <string_view>

#include "net/server/router.hpp"

namespace onetap::net {

/// A request's target (origin-form), where pages call under a prefix that a proxy may or may not strip.
struct RequestTarget {
  std::string_view path;   // without query and prefix
  std::string_view query;  // without "?"; may be empty
  std::string as_sent;     // path and query as the page sent them, prefix included: what it signs
};

/// `prefix` is empty or begins with "/" and does not end with one. A path that `router` knows as it stands
/// has been stripped, whatever it begins with ("/wechat/push" under the prefix "/wechat").
[[nodiscard]] RequestTarget read_target(std::string_view target, std::string_view prefix,
                                        Router const& router);

}  // namespace onetap::net
