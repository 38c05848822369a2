#pragma once

#include <string>

#include "core/gate/gatekeeper.hpp"
#include "net/api/body_reader.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// The mini program that a request is about: the caller's, or the one that a backend's body names.
[[nodiscard]] std::string read_appid(BodyReader& body, core::Caller const& caller,
                                     core::Gatekeeper const& gate);

/// Empty: none given.
[[nodiscard]] core::IdempotencyKey read_idempotency_key(Request const& request, BodyReader& body);

}  // namespace onetap::net
