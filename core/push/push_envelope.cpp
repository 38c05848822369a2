#include "core/push/push_envelope.hpp"

#include <cstdint>

#include "core/crypto/push_cipher.hpp"

namespace onetap::core {

std::optional<std::string> open_push_envelope(std::string_view encrypted, PushAesKey const& key,
                                              std::string_view appid) {
  constexpr std::size_t random_bytes = 16;
  constexpr std::size_t size_bytes = 4;
  auto const opened = crypto::open_push(encrypted, key);
  if (!opened || opened->size() < random_bytes + size_bytes) return std::nullopt;
  std::uint32_t size = 0;
  for (char const byte : std::string_view(*opened).substr(random_bytes, size_bytes))
    size = (size << 8U) | static_cast<unsigned char>(byte);
  std::string_view const rest = std::string_view(*opened).substr(random_bytes + size_bytes);
  if (size > rest.size() || rest.substr(size) != appid) return std::nullopt;
  return std::string(rest.substr(0, size));
}

}  // namespace onetap::core
