#include "core/text.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::core {

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char character) { return character > ' ' && character < '\x7f'; });
}

bool is_openid(std::string_view text) {
  return !text.empty() && text.size() <= limits::openid_bytes_max && is_visible_ascii(text);
}

}  // namespace onetap::core
