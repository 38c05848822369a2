#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace onetap::core {

namespace json = boost::json;

enum class JsonRefusal {
  malformed,      // not one JSON text in valid UTF-8, or a number beyond a double's range
  too_deep,       // nested deeper than the limit
  duplicate_key,  // a name twice in one object, compared after unescaping
  not_an_object,  // JSON, but an array or a single value
};

[[nodiscard]] std::string_view to_string(JsonRefusal refusal);

/// Strict: a client's body is one object, at most limits::json_depth_max deep, each name once.
[[nodiscard]] Result<json::object, JsonRefusal> parse_client_json(std::string_view body);

/// Tolerant: WeChat adds fields at will. One object, at most limits::wechat_json_depth_max deep; of a
/// name that comes twice the last counts, but an `errcode` that comes twice decides nothing and is refused.
[[nodiscard]] Result<json::object, JsonRefusal> parse_wechat_json(std::string_view body);

/// Why a member cannot be had. A null is there, with the wrong type.
enum class MemberFault { absent, wrong_type };

/// Strict readers, for clients' bodies. What they return points into `object`.
[[nodiscard]] Result<std::string_view, MemberFault> string_member(json::object const& object,
                                                                  std::string_view name);
[[nodiscard]] Result<std::int64_t, MemberFault> integer_member(json::object const& object,
                                                               std::string_view name);
[[nodiscard]] Result<json::object const*, MemberFault> object_member(json::object const& object,
                                                                     std::string_view name);

/// Tolerant readers, for WeChat's answers, where 64-bit counters are strings and countryCode is 86 or
/// "86" (facts/wechat-api.md §0). An integer may also be a string of its digits, or a double without a
/// fraction; a string may also be an integer.
[[nodiscard]] Result<std::int64_t, MemberFault> wechat_integer_member(json::object const& object,
                                                                      std::string_view name);
[[nodiscard]] Result<std::string, MemberFault> wechat_string_member(json::object const& object,
                                                                    std::string_view name);

}  // namespace onetap::core
