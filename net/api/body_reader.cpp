#include "net/api/body_reader.hpp"

#include <utility>

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

bool BodyReader::flag(std::string_view name) {
  auto const* const member = body_ ? body_->if_contains(name) : nullptr;
  if (member == nullptr) return false;
  if (!member->is_bool()) fault(std::string(name) + " must be true or false");
  return member->is_bool() && member->get_bool();
}

std::string_view BodyReader::read_text(std::string_view name, bool required) {
  if (!body_) return {};
  auto const member = core::string_member(*body_, name);
  if (member) return *member;
  note(name, member.error(), required, "a string");
  return {};
}

std::optional<std::int64_t> BodyReader::read_integer(std::string_view name, bool required) {
  if (!body_) return std::nullopt;
  auto const member = core::integer_member(*body_, name);
  if (member) return *member;
  note(name, member.error(), required, "an integer");
  return std::nullopt;
}

void BodyReader::note(std::string_view name, core::MemberFault why, bool required, std::string_view wanted) {
  bool const absent = why == core::MemberFault::absent;
  if (absent && required) fault(std::string(name) + " is missing");
  if (!absent) fault(std::string(name) + " must be " + std::string(wanted));
}

}  // namespace onetap::net
