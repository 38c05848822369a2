#include "core/gate/signature.hpp"

#include <charconv>
#include <span>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core {

std::string message_to_sign(std::string_view method, std::string_view target, std::string_view timestamp,
                            std::string_view nonce_str, std::string_view body) {
  std::string message;
  message.reserve(method.size() + target.size() + timestamp.size() + nonce_str.size() + body.size() + 5);
  for (std::string_view const part : {method, target, timestamp, nonce_str, body})
    message.append(part).append(1, '\n');
  return message;
}

bool is_signature_of(std::string_view signature, std::string_view key, std::string_view message) {
  auto const* const key_bytes = reinterpret_cast<unsigned char const*>(key.data());
  crypto::Digest const expected = crypto::hmac_sha256(std::span(key_bytes, key.size()), message);
  return crypto::equal_in_constant_time(
      signature, std::string_view(reinterpret_cast<char const*>(expected.data()), expected.size()));
}

std::int64_t unix_seconds_of(std::string_view timestamp) {
  std::int64_t sent = 0;
  std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), sent);
  return sent;
}

bool is_timely(std::string_view timestamp, WallTime now) {
  std::int64_t const skew = unix_seconds_of(timestamp) - unix_seconds(now);
  return skew >= -limits::timestamp_skew_max.count() && skew <= limits::timestamp_skew_max.count();
}

}  // namespace onetap::core
