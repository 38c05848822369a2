#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace onetap::core {

/// What is signed (contract, "Who the caller is"): each of the five ends with one line feed; the body may
/// be empty. `target` is path and query as the page sent them.
[[nodiscard]] std::string message_to_sign(std::string_view method, std::string_view target,
                                          std::string_view timestamp, std::string_view nonce_str,
                                          std::string_view body);

/// `signature` is raw bytes; compared in constant time.
[[nodiscard]] bool is_signature_of(std::string_view signature, std::string_view key,
                                   std::string_view message);

/// `timestamp` is digits, few enough.
[[nodiscard]] std::int64_t unix_seconds_of(std::string_view timestamp);

/// Within 300 s of our clock.
[[nodiscard]] bool is_timely(std::string_view timestamp, WallTime now);

}  // namespace onetap::core
