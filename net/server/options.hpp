#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "net/server/client_address.hpp"
#include "net/tls_context.hpp"

namespace onetap::net {

/// A request that has been answered, for whoever counts.
struct AnsweredRequest {
  std::size_t route = 0;  // its place in Router::routes(); their number: it fits none
  int status = 0;
  std::string_view problem;  // its code, empty when there is none; static text
  core::SteadyTime::duration took{};
};

struct HttpServerOptions {
  std::string listener;           // its name in the log: "public", "operator", "sandbox"
  std::string address;            // an IP literal
  unsigned short port = 0;        // 0: any
  int inherited_socket = -1;      // one that listens already, at this address, and is taken over; -1: none
  std::optional<TlsContext> tls;  // none: plain HTTP
  std::size_t connections_max = 10000;
  std::size_t connections_per_address_max = 0;  // 0: no such limit; trusted proxies have none
  std::vector<AddressRange> trusted_proxies{};  // whose X-Forwarded-For is believed
  bool proxy_protocol = false;   // every connection comes from a trusted proxy and begins with its v2 header
  std::string path_prefix{};     // "/onetap": what stands before the paths at the page's side, or nothing
  bool expects_proxies = false;  // warns, once, of one that is not in trusted_proxies
  bool log_requests = true;
  std::function<void(AnsweredRequest const&)> observe{};  // hears of each answer; must not throw
};

}  // namespace onetap::net
