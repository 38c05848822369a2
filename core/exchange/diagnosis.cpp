#include "core/exchange/diagnosis.hpp"

namespace onetap::core {

std::string_view diagnose(Code const& code) {
  constexpr std::size_t login_code_bytes = 32;  // as seen; codes of the button have had 64, all hex digits
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string_view const text = code.reveal();
  bool const is_login_code =
      text.size() == login_code_bytes && text.find_first_not_of(alphabet) == std::string_view::npos;
  return is_login_code ? "login_code" : "unknown";
}

}  // namespace onetap::core
