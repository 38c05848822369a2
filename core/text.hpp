#pragma once

#include <string_view>

namespace onetap::core {

/// No blank, no control character; true of empty text.
[[nodiscard]] bool is_visible_ascii(std::string_view text);

/// What can be an openid, as far as anybody can tell: 1 to limits::openid_bytes_max visible ASCII characters.
[[nodiscard]] bool is_openid(std::string_view text);

}  // namespace onetap::core
