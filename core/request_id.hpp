#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace onetap::core {

/// Whether a client's X-Request-Id may be taken over: 1–64 of `A-Z a-z 0-9 . _ -` (contract, "Headers").
[[nodiscard]] bool is_request_id(std::string_view text);

/// A ULID: 26 characters of Crockford's base32, the first ten from the time in milliseconds, so that ids
/// sort by time.
[[nodiscard]] std::string make_request_id(WallTime at, std::span<unsigned char const, 10> random);

}  // namespace onetap::core
