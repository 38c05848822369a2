#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "net/server/client_address.hpp"
#include "net/tls_context.hpp"

namespace onetap::net {

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
};

}  // namespace onetap::net
