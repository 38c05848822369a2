#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace onetap::core {

/// The message in a push's `Encrypt`: behind 16 random bytes its size in 4 (network order), then itself, then
/// the appid that it is for. None where it is for another one, or anything else is wrong.
[[nodiscard]] std::optional<std::string> open_push_envelope(std::string_view encrypted, PushAesKey const& key,
                                                            std::string_view appid);

}  // namespace onetap::core
