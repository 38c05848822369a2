#include "core/exchange/problem.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>

namespace onetap::core {
namespace {

namespace json = boost::json;
using enum ProblemCode;

// In the order of the enumeration, one row each.
constexpr std::array kinds{
    ProblemKind{invalid_request, "INVALID_REQUEST", 400, Retry::never, "The request is malformed", "请求有误",
                "The request is malformed"},
    ProblemKind{session_required, "SESSION_REQUIRED", 401, Retry::login, "A session is required", "请先登录",
                "Please log in first"},
    ProblemKind{session_expired, "SESSION_EXPIRED", 401, Retry::login, "The session is unknown or too old",
                "登录已过期，请重试", "The login has expired, please try again"},
    ProblemKind{signature_invalid, "SIGNATURE_INVALID", 401, Retry::login, "The signature does not fit",
                "请求校验失败，请重试", "The request could not be verified, please try again"},
    ProblemKind{timestamp_skewed, "TIMESTAMP_SKEWED", 401, Retry::same_code,
                "The timestamp is more than 300 s off", "手机时间不准，请重试",
                "The device's clock is off, please try again"},
    ProblemKind{nonce_replayed, "NONCE_REPLAYED", 401, Retry::same_code, "The nonce was used before",
                "请求重复，请重试", "This request was sent before, please try again"},
    ProblemKind{origin_forbidden, "ORIGIN_FORBIDDEN", 403, Retry::never, "Not a page of this mini program",
                "请在小程序中使用", "Please use the mini program"},
    ProblemKind{user_blocked, "USER_BLOCKED", 403, Retry::never, "WeChat blocks this user's logins",
                "当前账号存在风险，无法登录", "WeChat does not let this account log in"},
    ProblemKind{not_found, "NOT_FOUND", 404, Retry::never, "No such path", "没有这个地址",
                "There is nothing here"},
    ProblemKind{method_not_allowed, "METHOD_NOT_ALLOWED", 405, Retry::never, "Method not allowed",
                "请求方法不支持", "This method is not supported here"},
    ProblemKind{unsupported_media_type, "UNSUPPORTED_MEDIA_TYPE", 415, Retry::never,
                "The body must be application/json", "请求格式不支持", "The body must be application/json"},
    ProblemKind{payload_too_large, "PAYLOAD_TOO_LARGE", 413, Retry::never, "The body is larger than 16 KiB",
                "请求内容过大", "The body is too large"},
    ProblemKind{uri_too_long, "URI_TOO_LONG", 414, Retry::never, "The request line is longer than 1 KiB",
                "请求地址过长", "The address is too long"},
    ProblemKind{headers_too_large, "HEADERS_TOO_LARGE", 431, Retry::never,
                "The header fields exceed 8 KiB or 48 fields", "请求头过大",
                "The header fields are too large"},
    ProblemKind{length_required, "LENGTH_REQUIRED", 411, Retry::never,
                "Content-Length is required, without Transfer-Encoding", "请求缺少长度",
                "The request must tell its length"},
    ProblemKind{request_timeout, "REQUEST_TIMEOUT", 408, Retry::never, "The request did not arrive in time",
                "请求超时", "The request did not arrive in time"},
    ProblemKind{unauthorized, "UNAUTHORIZED", 401, Retry::never, "The operator's token is missing or wrong",
                "需要运维令牌", "The operator's token is missing or wrong"},
    ProblemKind{code_in_progress, "CODE_IN_PROGRESS", 409, Retry::never,
                "The code is being exchanged for someone else", "正在处理，请勿重复提交",
                "This code is being processed"},
    ProblemKind{code_already_used, "CODE_ALREADY_USED", 409, Retry::new_code, "The code was exchanged before",
                "授权已使用，请重新点击", "This authorisation was used before, please tap again"},
    ProblemKind{code_invalid, "CODE_INVALID", 422, Retry::new_code, "WeChat refused the code",
                "授权已过期，请重新点击", "The authorisation has expired, please tap again"},
    ProblemKind{decrypt_failed, "DECRYPT_FAILED", 422, Retry::login, "The encrypted data cannot be used",
                "获取失败，请重新登录后再试", "That did not work, please log in and try again"},
    ProblemKind{watermark_mismatch, "WATERMARK_MISMATCH", 502, Retry::new_code,
                "WeChat's answer is not for this mini program", "获取失败，请重新点击",
                "That did not work, please tap again"},
    ProblemKind{quota_exhausted, "QUOTA_EXHAUSTED", 402, Retry::later, "The resource pack is used up",
                "当前额度不足", "The quota is used up"},
    ProblemKind{rate_limited, "RATE_LIMITED", 429, Retry::later, "Too many requests",
                "操作太频繁，请稍后再试", "Too many requests, please try again in a moment"},
    ProblemKind{outcome_unknown, "OUTCOME_UNKNOWN", 502, Retry::new_code, "WeChat's answer was lost",
                "结果未知，请重新点击", "The result is unknown, please tap again"},
    ProblemKind{wechat_unavailable, "WECHAT_UNAVAILABLE", 503, Retry::same_code,
                "WeChat did not take the request", "微信服务繁忙，请稍后再试",
                "WeChat is busy, please try again in a moment"},
    ProblemKind{service_misconfigured, "SERVICE_MISCONFIGURED", 503, Retry::later, "The operator must act",
                "服务配置有误，请联系客服", "The service is misconfigured, please contact support"},
    ProblemKind{server_busy, "SERVER_BUSY", 503, Retry::same_code, "Too much at once; nothing was done",
                "服务繁忙，请稍后再试", "The service is busy, please try again in a moment"},
    ProblemKind{storage_unavailable, "STORAGE_UNAVAILABLE", 503, Retry::same_code,
                "The ledger cannot be written; nothing was done", "服务暂不可用，请稍后再试",
                "The service is unavailable, please try again in a moment"},
    ProblemKind{internal, "INTERNAL", 500, Retry::later, "A fault in the server", "服务端异常",
                "Something went wrong on our side"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (static_cast<std::size_t>(kinds[i].code) != i) return false;
  }
  return kinds.size() == static_cast<std::size_t>(internal) + 1;
}
static_assert(in_order());

std::string urn_of(std::string_view name) {
  std::string urn = "urn:onetap:problem:";
  for (char const letter : name) {
    urn += letter == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return urn;
}

std::string_view to_string(Charged charged) {
  switch (charged) {
    case Charged::yes: return "yes";
    case Charged::no: return "no";
    default: return "unknown";
  }
}

}  // namespace

ProblemKind const& kind_of(ProblemCode code) { return kinds[static_cast<std::size_t>(code)]; }
std::span<ProblemKind const> problem_kinds() { return kinds; }

std::string_view to_string(Retry retry) {
  switch (retry) {
    case Retry::same_code: return "same_code";
    case Retry::new_code: return "new_code";
    case Retry::later: return "later";
    case Retry::login: return "login";
    case Retry::never: break;
  }
  return "never";
}

std::string to_problem_json(Problem const& problem, Language language, std::string_view request_id) {
  ProblemKind const& kind = kind_of(problem.code);
  std::string detail(language == Language::english ? kind.detail_english : kind.detail_chinese);
  if (!problem.field.empty())
    detail.append(language == Language::english ? ": " : "：").append(problem.field);
  json::object body{{"type", urn_of(kind.name)}, {"title", kind.title},
                    {"status", kind.status},     {"code", kind.name},
                    {"detail", detail},          {"retry", to_string(problem.retry.value_or(kind.retry))},
                    {"requestId", request_id}};
  if (!problem.reason.empty()) body["reason"] = problem.reason;
  if (problem.charged != Charged::absent) body["charged"] = to_string(problem.charged);
  if (problem.errcode) body["wechat"] = json::object{{"errcode", *problem.errcode}, {"rid", problem.rid}};
  if (problem.server_time) body["serverTime"] = unix_seconds(*problem.server_time);
  return json::serialize(body);
}

Language language_of(std::string_view accept_language) {
  auto const first = accept_language.substr(0, accept_language.find_first_of(",;"));
  auto const is_en = first.size() >= 2 && (first[0] == 'e' || first[0] == 'E') &&
                     (first[1] == 'n' || first[1] == 'N') && (first.size() == 2 || first[2] == '-');
  return is_en ? Language::english : Language::chinese;
}

}  // namespace onetap::core
