#pragma once

#include <string_view>

namespace onetap::core {

/// Of ASCII, whatever the locale says.
[[nodiscard]] constexpr bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// No blank, no control character; true of empty text.
[[nodiscard]] bool is_visible_ascii(std::string_view text);

/// What can be an openid, as far as anybody can tell: 1 to limits::openid_bytes_max visible ASCII characters.
[[nodiscard]] bool is_openid(std::string_view text);

}  // namespace onetap::core
