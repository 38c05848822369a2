#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

namespace onetap::net {

namespace asio = boost::asio;

/// The head of a PROXY protocol header of version 2 (haproxy's proxy-protocol.txt §2.2), which stands before
/// anything else on a connection: signature, command, family, and the length of what follows.
inline constexpr std::size_t proxy_head_bytes = 16;

struct ProxyHead {
  bool is_local = false;       // the proxy's own connection (a health check): there is no source
  bool is_ipv4 = false;        // else IPv6
  std::size_t rest_bytes = 0;  // addresses, ports and what a proxy adds
};

/// None: not the header, or one that we don't take (UDP, Unix sockets, unspecified, or longer than 536
/// bytes, which TLVs of common proxies stay below).
[[nodiscard]] std::optional<ProxyHead> read_proxy_head(std::string_view bytes);

/// The source address in the `head.rest_bytes` bytes that follow; not for a local one.
[[nodiscard]] asio::ip::address proxied_source(ProxyHead const& head, std::string_view rest);

}  // namespace onetap::net
