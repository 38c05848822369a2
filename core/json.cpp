#include "core/json.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "core/limits.hpp"

namespace onetap::core {

namespace {

enum class Reading { strict, tolerant };

/// Builds a value as Boost.JSON's own parser does, and looks at what that one lets pass: names that come
/// twice (the last would win silently) and numbers that overflow (they would become infinite).
class Handler {
 public:
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();

  explicit Handler(Reading reading) : reading_(reading) { values_.reset(); }

  [[nodiscard]] std::optional<JsonRefusal> refusal() const { return refusal_; }
  [[nodiscard]] json::value release() { return values_.release(); }

  bool on_document_begin(json::error_code& /*error*/) { return true; }
  bool on_document_end(json::error_code& /*error*/) { return true; }

  bool on_object_begin(json::error_code& /*error*/) {
    first_names_.push_back(names_.size());
    return true;
  }

  bool on_object_end(std::size_t members, json::error_code& error) {
    auto const first = names_.begin() + static_cast<std::ptrdiff_t>(first_names_.back());
    std::sort(first, names_.end());
    for (auto name = first; (name = std::adjacent_find(name, names_.end())) != names_.end(); ++name) {
      if (matters(*name)) return refuse(JsonRefusal::duplicate_key, error);
    }
    names_.erase(first, names_.end());
    first_names_.pop_back();
    values_.push_object(members);
    return true;
  }

  bool on_array_begin(json::error_code& /*error*/) { return true; }
  bool on_array_end(std::size_t elements, json::error_code& /*error*/) {
    values_.push_array(elements);
    return true;
  }

  bool on_key_part(json::string_view part, std::size_t /*size*/, json::error_code& /*error*/) {
    name_.append(part.data(), part.size());
    values_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t /*size*/, json::error_code& /*error*/) {
    name_.append(part.data(), part.size());
    names_.push_back(std::exchange(name_, {}));
    values_.push_key(part);
    return true;
  }

  bool on_string_part(json::string_view part, std::size_t /*size*/, json::error_code& /*error*/) {
    values_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t /*size*/, json::error_code& /*error*/) {
    values_.push_string(part);
    return true;
  }

  bool on_number_part(json::string_view /*part*/, json::error_code& /*error*/) { return true; }
  bool on_int64(std::int64_t number, json::string_view /*part*/, json::error_code& /*error*/) {
    values_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view /*part*/, json::error_code& /*error*/) {
    values_.push_uint64(number);
    return true;
  }
  bool on_double(double number, json::string_view /*part*/, json::error_code& error) {
    if (!std::isfinite(number)) return refuse(JsonRefusal::malformed, error);
    values_.push_double(number);
    return true;
  }

  bool on_bool(bool flag, json::error_code& /*error*/) {
    values_.push_bool(flag);
    return true;
  }
  bool on_null(json::error_code& /*error*/) {
    values_.push_null();
    return true;
  }

  bool on_comment_part(json::string_view /*part*/, json::error_code& /*error*/) { return true; }
  bool on_comment(json::string_view /*part*/, json::error_code& /*error*/) { return true; }

 private:
  bool refuse(JsonRefusal refusal, json::error_code& error) {
    refusal_ = refusal;
    error = json::error::syntax;
    return false;
  }

  /// Whether the object that ends now may not have `name` twice.
  [[nodiscard]] bool matters(std::string_view name) const {
    bool const at_top = first_names_.size() == 1;
    return reading_ == Reading::strict || (at_top && name == "errcode");
  }

  Reading reading_;
  std::optional<JsonRefusal> refusal_;
  json::value_stack values_;
  std::string name_;                      // as far as it has come
  std::vector<std::string> names_;        // of all open objects, one after the other
  std::vector<std::size_t> first_names_;  // where each open object's names begin
};

Result<json::object, JsonRefusal> parse(std::string_view text, Reading reading, std::size_t depth_max) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<Handler> parser(options, reading);
  json::error_code error;
  std::size_t const read = parser.write_some(false, text.data(), text.size(), error);
  if (parser.handler().refusal()) return *parser.handler().refusal();
  if (error == json::error::too_deep) return JsonRefusal::too_deep;
  if (error || read != text.size()) return JsonRefusal::malformed;

  json::value value = parser.handler().release();
  if (!value.is_object()) return JsonRefusal::not_an_object;
  return std::move(value.get_object());
}

/// A member's value, or null when there is none.
json::value const* find(json::object const& object, std::string_view name) {
  return object.if_contains(name);
}

std::optional<std::int64_t> integer_of(json::value const& value) {
  if (auto const* number = value.if_int64()) return *number;
  return std::nullopt;  // a uint64 is one beyond int64's range
}

std::optional<std::int64_t> integer_of(std::string_view digits) {
  std::int64_t number = 0;
  char const* const begin = digits.data();
  char const* const end = begin + digits.size();
  auto const [rest, error] = std::from_chars(begin, end, number);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

std::optional<std::int64_t> integer_of(double number) {
  constexpr double exact_up_to = 9007199254740992.0;  // 2^53
  if (std::abs(number) > exact_up_to || std::trunc(number) != number) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string_view to_string(JsonRefusal refusal) {
  switch (refusal) {
    case JsonRefusal::malformed: return "malformed";
    case JsonRefusal::too_deep: return "too_deep";
    case JsonRefusal::duplicate_key: return "duplicate_key";
    case JsonRefusal::not_an_object: return "not_an_object";
  }
  return "";
}

Result<json::object, JsonRefusal> parse_client_json(std::string_view body) {
  return parse(body, Reading::strict, limits::json_depth_max);
}

Result<json::object, JsonRefusal> parse_wechat_json(std::string_view body) {
  return parse(body, Reading::tolerant, limits::wechat_json_depth_max);
}

Result<std::string_view, MemberFault> string_member(json::object const& object, std::string_view name) {
  json::value const* const value = find(object, name);
  if (value == nullptr) return MemberFault::absent;
  json::string const* const text = value->if_string();
  if (text == nullptr) return MemberFault::wrong_type;
  return std::string_view(text->data(), text->size());
}

Result<std::int64_t, MemberFault> integer_member(json::object const& object, std::string_view name) {
  json::value const* const value = find(object, name);
  if (value == nullptr) return MemberFault::absent;
  std::optional<std::int64_t> const number = integer_of(*value);
  if (!number) return MemberFault::wrong_type;
  return *number;
}

Result<json::object const*, MemberFault> object_member(json::object const& object, std::string_view name) {
  json::value const* const value = find(object, name);
  if (value == nullptr) return MemberFault::absent;
  json::object const* const member = value->if_object();
  if (member == nullptr) return MemberFault::wrong_type;
  return member;
}

Result<std::int64_t, MemberFault> wechat_integer_member(json::object const& object, std::string_view name) {
  json::value const* const value = find(object, name);
  if (value == nullptr) return MemberFault::absent;
  std::optional<std::int64_t> number = integer_of(*value);
  if (auto const* text = value->if_string())
    number = integer_of(std::string_view(text->data(), text->size()));
  if (auto const* real = value->if_double()) number = integer_of(*real);
  if (!number) return MemberFault::wrong_type;
  return *number;
}

Result<std::string, MemberFault> wechat_string_member(json::object const& object, std::string_view name) {
  json::value const* const value = find(object, name);
  if (value == nullptr) return MemberFault::absent;
  if (auto const* text = value->if_string()) return std::string(text->data(), text->size());
  if (auto const* number = value->if_int64()) return std::to_string(*number);
  if (auto const* number = value->if_uint64()) return std::to_string(*number);
  return MemberFault::wrong_type;
}

}  // namespace onetap::core
