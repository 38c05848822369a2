#pragma once

#include <optional>
#include <string>

#include "core/exchange/wechat.hpp"
#include "net/stream.hpp"
#include "net/wechat/route.hpp"

namespace onetap::net {

/// Why no connection came about; nothing was sent over one.
struct DialFailure {
  core::TransportFailure failure = core::TransportFailure::none;
  std::string detail;  // for the operator's log
};

/// Asks the HTTP proxy at the other end of a plain stream to connect it to `authority` ("host:port"), under
/// the stream's deadline. None: whatever is written now, `authority` reads.
[[nodiscard]] core::Task<std::optional<DialFailure>> connect_through_proxy(Stream& stream,
                                                                           std::string authority,
                                                                           ProxyCredentials credentials);

}  // namespace onetap::net
