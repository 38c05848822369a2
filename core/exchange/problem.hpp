#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace onetap::core {

/// Every refusal a client can see (contract, "Problems").
enum class ProblemCode {
  invalid_request,
  session_required,
  session_expired,
  signature_invalid,
  timestamp_skewed,
  nonce_replayed,
  origin_forbidden,
  user_blocked,
  not_found,
  method_not_allowed,
  unsupported_media_type,
  payload_too_large,
  uri_too_long,
  headers_too_large,
  length_required,
  request_timeout,
  unauthorized,  // the operator listener's
  code_in_progress,
  code_already_used,
  code_invalid,
  decrypt_failed,
  watermark_mismatch,
  quota_exhausted,
  rate_limited,
  outcome_unknown,
  wechat_unavailable,
  service_misconfigured,
  server_busy,
  storage_unavailable,
  internal,
};

/// What the client should do with its code.
enum class Retry { same_code, new_code, later, login, never };

/// Whether WeChat took a unit for the code; `absent` before a code was read.
enum class Charged { absent, yes, no, unknown };

enum class Language { chinese, english };

struct ProblemKind {
  ProblemCode code;
  std::string_view name;  // CODE_INVALID
  int status;
  Retry retry;
  std::string_view title;
  std::string_view detail_chinese;  // for the person tapping
  std::string_view detail_english;
};

[[nodiscard]] ProblemKind const& kind_of(ProblemCode code);
[[nodiscard]] std::span<ProblemKind const> problem_kinds();
[[nodiscard]] std::string_view to_string(Retry retry);

struct Problem {
  ProblemCode code = ProblemCode::internal;
  Charged charged = Charged::absent;
  std::string_view reason{};   // what is known of a bad code; static text, empty: not told
  std::optional<int> errcode;  // WeChat's, with its rid
  std::string rid;
  std::optional<seconds> retry_after;   // for the Retry-After field
  std::string field;                    // INVALID_REQUEST: what is wrong with which field, for the developer
  std::optional<WallTime> server_time;  // TIMESTAMP_SKEWED: for the page to learn its offset
  std::optional<Retry> retry;           // where it differs from the kind's
};

/// RFC 9457, as the contract says.
[[nodiscard]] std::string to_problem_json(Problem const& problem, Language language,
                                          std::string_view request_id);

/// From an Accept-Language field; Chinese unless English is asked for first.
[[nodiscard]] Language language_of(std::string_view accept_language);

}  // namespace onetap::core
