#include "core/gate/login_answer.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/exchange/answer.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace onetap::core {
namespace {

constexpr std::size_t wechat_key_bytes = 16;
constexpr int user_blocked_errcode = 40226;
constexpr int invalid_signature_errcode = 87009;

bool is_key(std::string_view base64) {
  auto const key = crypto::from_base64(base64);
  return key && key->size() == wechat_key_bytes;
}

bool is_representable(std::int64_t errcode) {
  constexpr std::int64_t representable = 2'000'000'000;
  return errcode <= representable && errcode >= -representable;
}

std::string rid_in(json::object const& body) {
  auto const errmsg = wechat_string_member(body, "errmsg");
  return errmsg ? rid_of(*errmsg) : std::string();
}

std::string not_json(WeChatReply const& reply) {
  return "not JSON, HTTP status " + std::to_string(reply.http_status);
}

std::string hint_of(std::int64_t errcode) {
  ErrcodeRule const* const rule = rule_for(errcode);
  return rule == nullptr ? "errcode " + std::to_string(errcode) : std::string(rule->hint);
}

LoginFailure unavailable(std::string hint) {
  constexpr auto soon = seconds(2);
  return {.problem = {.code = ProblemCode::wechat_unavailable, .retry_after = soon, .retry = Retry::login},
          .hint = std::move(hint)};
}

LoginFailure refused(std::int64_t errcode, std::string rid) {
  constexpr auto next_minute = seconds(60);
  ErrcodeRule const* const rule = rule_for(errcode);
  LoginFailure failure = unavailable(hint_of(errcode));
  Problem& problem = failure.problem;
  problem.errcode = static_cast<int>(errcode);
  problem.rid = std::move(rid);
  if (rule != nullptr && rule->verdict == Verdict::rate_limited) problem.retry_after = next_minute;
  if (errcode == user_blocked_errcode) {
    problem = {.code = ProblemCode::user_blocked, .errcode = problem.errcode, .rid = problem.rid};
  } else if (rule != nullptr && rule->verdict == Verdict::code_invalid) {
    problem.code = ProblemCode::code_invalid;
    problem.retry_after.reset();
  } else if (rule != nullptr && rule->verdict == Verdict::misconfigured) {
    problem.code = ProblemCode::service_misconfigured;
    problem.retry.reset();
  }
  return failure;
}

UserKeysFailure::Why why_of(std::int64_t errcode) {
  using enum UserKeysFailure::Why;
  if (errcode == invalid_signature_errcode) return log_in_again;
  ErrcodeRule const* const rule = rule_for(errcode);
  if (rule == nullptr) return not_to_be_had;
  switch (rule->verdict) {
    case Verdict::token_refused: return token_refused;
    case Verdict::rate_limited: return rate_limited;
    case Verdict::misconfigured: return misconfigured;
    default: return not_to_be_had;
  }
}

UserKeysFailure keys_refused(std::int64_t errcode, json::object const& body) {
  if (!is_representable(errcode)) return {.hint = "errcode out of range"};
  return {.why = why_of(errcode),
          .errcode = static_cast<int>(errcode),
          .rid = rid_in(body),
          .hint = errcode == invalid_signature_errcode
                      ? "session_key is not the latest: the page logs in again"
                      : hint_of(errcode)};
}

}  // namespace

Result<Identity, LoginFailure> judge_login_answer(WeChatReply const& reply) {
  if (reply.delivery != Delivery::answered) return unavailable(transport_hint(reply));
  auto const body = parse_wechat_json(reply.body);
  if (!body) return unavailable(not_json(reply));
  auto const errcode = wechat_integer_member(*body, "errcode");
  if (errcode && *errcode != 0) {
    if (!is_representable(*errcode)) return unavailable("errcode out of range");
    return refused(*errcode, rid_in(*body));
  }
  auto const openid = string_member(*body, "openid");
  auto const session_key = string_member(*body, "session_key");
  bool const usable = openid && session_key && is_openid(*openid) && is_key(*session_key);
  if (!usable) return unavailable("no openid and session_key in the answer");
  return Identity{.openid = OpenId(std::string(*openid)),
                  .session_key = SessionKey(std::string(*session_key))};
}

Result<std::vector<UserKey>, UserKeysFailure> judge_user_keys_answer(WeChatReply const& reply) {
  if (reply.delivery != Delivery::answered) return UserKeysFailure{.hint = transport_hint(reply)};
  auto const body = parse_wechat_json(reply.body);
  if (!body) return UserKeysFailure{.hint = not_json(reply)};
  auto const errcode = wechat_integer_member(*body, "errcode");
  if (errcode && *errcode != 0) return keys_refused(*errcode, *body);
  auto const* const list = body->if_contains("key_info_list");
  if (list == nullptr || !list->is_array()) return UserKeysFailure{.hint = "no key_info_list in the answer"};
  constexpr std::size_t keys_max = 3;
  constexpr std::int64_t lifetime_s_max = 3600;
  std::vector<UserKey> keys;
  for (json::value const& item : list->get_array()) {
    if (keys.size() == keys_max || !item.is_object()) break;
    auto const base64 = string_member(item.get_object(), "encrypt_key");
    auto const version = wechat_integer_member(item.get_object(), "version");
    auto const expires_in_s = wechat_integer_member(item.get_object(), "expire_in");
    if (!base64 || !is_key(*base64) || !version || !expires_in_s || *expires_in_s <= 0) continue;
    keys.push_back({.version = *version,
                    .key = Confidential<struct UserKeyTag>(*crypto::from_base64(*base64)),
                    .expires_in = seconds(std::min(*expires_in_s, lifetime_s_max))});
  }
  return keys;
}

}  // namespace onetap::core
