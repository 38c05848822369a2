#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exchange/problem.hpp"
#include "core/json.hpp"

namespace onetap::net {

/// Reads the members of a client's JSON body one by one, and remembers the first fault. Views point into it.
class BodyReader {
 public:
  explicit BodyReader(std::string_view body);

  /// Texts: empty where there is none.
  std::string_view required(std::string_view name) { return read_text(name, true); }
  std::string_view optional(std::string_view name) { return read_text(name, false); }
  std::optional<std::int64_t> required_integer(std::string_view name) { return read_integer(name, true); }
  std::optional<std::int64_t> optional_integer(std::string_view name) { return read_integer(name, false); }
  /// The objects of an array, each a body of its own whose faults go by its place in it ("events[3].at …").
  std::vector<BodyReader> required_objects(std::string_view name);
  /// False where there is none.
  bool flag(std::string_view name);

  /// `text` names the member and says what would be right.
  void fault(std::string text);
  /// What is wrong with a part of it.
  void fault_of(BodyReader const& part);
  [[nodiscard]] bool has(std::string_view name) const { return body_ && body_->contains(name); }
  [[nodiscard]] bool is_faultless() const { return fault_.empty(); }

  /// Of a faulty body.
  [[nodiscard]] core::Problem problem(core::Charged charged = core::Charged::absent) const;

 private:
  BodyReader(core::json::object body, std::string name) : body_(std::move(body)), name_(std::move(name)) {}

  std::string_view read_text(std::string_view name, bool required);
  std::optional<std::int64_t> read_integer(std::string_view name, bool required);
  void note(std::string_view name, core::MemberFault why, bool required, std::string_view wanted);

  core::Result<core::json::object, core::JsonRefusal> body_;
  std::string name_;  // "events[3]."; empty: the whole body
  std::string fault_;
};

}  // namespace onetap::net
