#include "net/message.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace onetap::net {
namespace {

bool same_name(std::string_view left, std::string_view right) { return boost::beast::iequals(left, right); }

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const {
  auto const found =
      std::ranges::find_if(headers, [name](Header const& field) { return same_name(field.name, name); });
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

bool Request::repeats_header(std::string_view name) const {
  return std::ranges::count_if(headers, [name](Header const& field) { return same_name(field.name, name); }) >
         1;
}

}  // namespace onetap::net
