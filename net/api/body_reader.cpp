#include "net/api/body_reader.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {

BodyReader::BodyReader(std::string_view body) : body_(core::parse_client_json(body)) {
  if (!body_) fault("body: " + std::string(core::to_string(body_.error())));
}

void BodyReader::fault(std::string text) {
  if (fault_.empty()) fault_ = std::move(text);
}

core::Problem BodyReader::problem(core::Charged charged) const {
  return {.code = core::ProblemCode::invalid_request, .charged = charged, .field = fault_};
}

std::string_view BodyReader::read(std::string_view name, bool required) {
  if (!body_) return {};
  auto const member = core::string_member(*body_, name);
  if (member) return *member;
  bool const absent = member.error() == core::MemberFault::absent;
  if (!absent) fault(std::string(name) + " must be a string");
  if (absent && required) fault(std::string(name) + " is missing");
  return {};
}

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char character) { return character > ' ' && character < '\x7f'; });
}

bool is_openid(std::string_view text) {
  return !text.empty() && text.size() <= core::limits::openid_bytes_max && is_visible_ascii(text);
}

}  // namespace onetap::net
