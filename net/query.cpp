#include "net/query.hpp"

#include <algorithm>
#include <charconv>

namespace onetap::net {
namespace {

std::string decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    bool const escaped = text[i] == '%' && i + 2 < text.size();
    auto const digits = escaped ? text.substr(i + 1, 2) : std::string_view();
    auto const parsed = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (escaped && parsed.ptr == digits.data() + digits.size()) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

}  // namespace

std::string query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view const pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    auto const equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return decode(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace onetap::net
