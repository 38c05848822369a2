#include "net/api/body_reader.hpp"

#include <boost/json/array.hpp>
#include <utility>

namespace onetap::net {

BodyReader::BodyReader(std::string_view body) : body_(core::parse_client_json(body)) {
  if (!body_) fault("body: " + std::string(core::to_string(body_.error())));
}

void BodyReader::fault(std::string text) {
  if (fault_.empty()) fault_ = name_ + std::move(text);
}

void BodyReader::fault_of(BodyReader const& part) {
  if (fault_.empty()) fault_ = part.fault_;
}

core::Problem BodyReader::problem(core::Charged charged) const {
  return {.code = core::ProblemCode::invalid_request, .charged = charged, .field = fault_};
}

std::vector<BodyReader> BodyReader::required_objects(std::string_view name) {
  std::vector<BodyReader> parts;
  auto const* const member = body_ ? body_->if_contains(name) : nullptr;
  auto const* const array = member != nullptr ? member->if_array() : nullptr;
  if (member == nullptr) fault(std::string(name) + " is missing");
  if (array == nullptr) {
    fault(std::string(name) + " must be an array");
    return parts;
  }
  for (core::json::value const& element : *array) {
    std::string const place = std::string(name) + "[" + std::to_string(parts.size()) + "]";
    if (!element.is_object()) fault(place + " must be an object");
    parts.push_back(
        BodyReader(element.is_object() ? element.get_object() : core::json::object(), place + "."));
  }
  return parts;
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
