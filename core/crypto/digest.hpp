#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace onetap::core::crypto {

using Digest = std::array<unsigned char, 32>;

[[nodiscard]] Digest sha256(std::string_view data);
[[nodiscard]] Digest hmac_sha256(std::span<unsigned char const> key, std::string_view message);

/// For WeChat's message push, which knows nothing better.
[[nodiscard]] std::array<unsigned char, 20> sha1(std::string_view data);

/// RFC 5869 with SHA-256 and no salt; 32 bytes.
[[nodiscard]] Digest hkdf_sha256(std::span<unsigned char const> key, std::string_view info);

/// Compares in time that depends on the sizes only.
[[nodiscard]] bool equal_in_constant_time(std::string_view left, std::string_view right);

/// From the operating system's generator, through OpenSSL. Throws when there is none.
void fill_random(std::span<unsigned char> bytes);

/// The same for names that are no secret, as of requests; no key, token or nonce: each thread draws ahead
/// what it hands out, once. A process that forked would hand out the same.
[[nodiscard]] std::array<unsigned char, 10> random_name();

[[nodiscard]] std::string to_hex(std::span<unsigned char const> bytes);
[[nodiscard]] std::string to_base64(std::span<unsigned char const> bytes);

/// Strict RFC 4648 §4: padded, no white space, no stray bits; none for anything else.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace onetap::core::crypto
