#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/secret.hpp"

namespace onetap::net {

/// Where WeChat is; "https" always.
struct WeChatAddress {
  std::string host;  // IPv6 without brackets
  unsigned short port = 443;
  std::string base_path{};  // empty, or "/…" without a slash at its end
};

/// "user:password".
using ProxyCredentials = core::Confidential<struct ProxyCredentialsTag>;

/// An HTTP proxy that leads to WeChat by CONNECT, and resolves its name.
struct ProxyAddress {
  std::string host;  // IPv6 without brackets
  unsigned short port = 0;
  ProxyCredentials credentials{};  // empty: none
};

/// The ways to WeChat.
struct WeChatRoute {
  std::vector<WeChatAddress> addresses;  // at least one, in the order in which they are tried
  std::optional<ProxyAddress> proxy{};
};

/// "host:port", as CONNECT wants it.
[[nodiscard]] std::string authority_of(WeChatAddress const& address);

/// As in the Host field: without the port that https has anyway.
[[nodiscard]] std::string host_field_of(WeChatAddress const& address);

}  // namespace onetap::net
