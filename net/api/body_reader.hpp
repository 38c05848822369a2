#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/exchange/problem.hpp"
#include "core/json.hpp"

namespace onetap::net {

/// Reads the string members of a client's JSON body one by one, and remembers the first fault. Views point
/// into it.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body);

  /// Empty where it is absent, or no string.
  std::string_view required(std::string_view name) { return read(name, true); }
  std::string_view optional(std::string_view name) { return read(name, false); }

  /// `text` names the member and says what would be right.
  void fault(std::string text);
  [[nodiscard]] bool has(std::string_view name) const { return body_ && body_->contains(name); }
  [[nodiscard]] bool is_faultless() const { return fault_.empty(); }

  /// Of a faulty body.
  [[nodiscard]] core::Problem problem(core::Charged charged = core::Charged::absent) const;

 private:
  std::string_view read(std::string_view name, bool required);

  core::Result<core::json::object, core::JsonRefusal> body_;
  std::string fault_;
};

[[nodiscard]] bool is_visible_ascii(std::string_view text);
[[nodiscard]] bool is_openid(std::string_view text);

}  // namespace onetap::net
