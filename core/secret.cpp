#include "core/secret.hpp"

#include <algorithm>

namespace onetap::core {

std::string mask_phone_number(std::string_view digits) {
  constexpr std::size_t shown_in_front = 3;
  constexpr std::size_t shown_at_end = 4;
  constexpr std::size_t hidden_at_least = 4;
  if (digits.size() < shown_in_front + hidden_at_least + shown_at_end) {
    std::size_t const shown =
        digits.size() > hidden_at_least ? std::min<std::size_t>(2, digits.size() - hidden_at_least) : 0;
    return "****" + std::string(digits.substr(digits.size() - shown));
  }
  return std::string(digits.substr(0, shown_in_front)) + "****" +
         std::string(digits.substr(digits.size() - shown_at_end));
}

}  // namespace onetap::core
