#pragma once

#include <string>
#include <string_view>

#include "net/message.hpp"

namespace onetap::net {

/// The whole answer in one buffer, for one write. `head_only`: the request was HEAD, so the body is
/// counted and left out.
[[nodiscard]] std::string render(Response const& response, std::string_view request_id, bool keep_alive,
                                 bool head_only);

/// The reason phrase of RFC 9110 for the statuses this server uses.
[[nodiscard]] std::string_view reason_phrase(int status);

}  // namespace onetap::net
