#include "net/message.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>

namespace onetap::net {
namespace {

std::string_view without_parameters(std::string_view media_type) {
  std::string_view const type = media_type.substr(0, media_type.find(';'));
  auto const last = type.find_last_not_of(" \t");
  return type.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

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

bool Request::has_json() const {
  auto const media_type = header("Content-Type");
  return media_type && boost::beast::iequals(without_parameters(*media_type), "application/json");
}

}  // namespace onetap::net
