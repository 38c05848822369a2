#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace onetap::core::crypto {

using SipHashKey = std::array<unsigned char, 16>;

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): who does not know the key
/// cannot tell which messages share a hash. For tables; 64 bits name nothing that must be unique.
[[nodiscard]] std::uint64_t sip_hash(SipHashKey const& key, std::string_view message);

}  // namespace onetap::core::crypto
