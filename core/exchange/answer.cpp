#include "core/exchange/answer.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "core/json.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::array rules{
    ErrcodeRule{-1, Verdict::doubt, Cause::system_error, "WeChat was busy; the code may be spent"},
    ErrcodeRule{40001, Verdict::token_refused, Cause::token_refused,
                "access_token is invalid or not the latest"},
    ErrcodeRule{40013, Verdict::misconfigured, Cause::misconfigured, "APPID is not this mini program's"},
    ErrcodeRule{40014, Verdict::token_refused, Cause::token_refused, "access_token is malformed"},
    ErrcodeRule{40029, Verdict::code_invalid, Cause::none,
                "code expired, used, of another appid, or from wx.login"},
    ErrcodeRule{40125, Verdict::misconfigured, Cause::misconfigured,
                "SECRET is wrong: reset it in the console and set it here"},
    ErrcodeRule{40163, Verdict::code_invalid, Cause::none, "code has been used"},
    ErrcodeRule{40164, Verdict::misconfigured, Cause::misconfigured,
                "this server's address is not on the IP white list"},
    ErrcodeRule{40243, Verdict::misconfigured, Cause::misconfigured,
                "AppSecret is frozen: unfreeze it in the console"},
    ErrcodeRule{41002, Verdict::misconfigured, Cause::misconfigured, "APPID is missing"},
    ErrcodeRule{42001, Verdict::token_refused, Cause::token_refused, "access_token has expired"},
    ErrcodeRule{45009, Verdict::rate_limited, Cause::rate_limited,
                "daily call limit reached; openapi/quota/get tells which"},
    ErrcodeRule{45011, Verdict::rate_limited, Cause::rate_limited, "calls per minute limit reached"},
    ErrcodeRule{48001, Verdict::misconfigured, Cause::misconfigured,
                "the account may not use this API (verification, permission set 18)"},
    ErrcodeRule{50004, Verdict::misconfigured, Cause::misconfigured, "the account may not use the token API"},
    ErrcodeRule{50007, Verdict::misconfigured, Cause::misconfigured, "the account is frozen"},
    ErrcodeRule{89501, Verdict::misconfigured, Cause::misconfigured,
                "this address waits for the administrator's confirmation"},
    ErrcodeRule{89503, Verdict::misconfigured, Cause::misconfigured,
                "this address needs the administrator's confirmation"},
    ErrcodeRule{89506, Verdict::misconfigured, Cause::misconfigured,
                "the administrator refused this address twice; 24 hours"},
    ErrcodeRule{89507, Verdict::misconfigured, Cause::misconfigured,
                "the administrator refused this address; 1 hour"},
    ErrcodeRule{1400001, Verdict::no_quota, Cause::no_quota, "the resource pack is used up"},
};

Cause doubt_cause(TransportFailure failure) {
  switch (failure) {
    case TransportFailure::timeout: return Cause::timeout;
    case TransportFailure::malformed:
    case TransportFailure::too_large: return Cause::malformed_answer;
    default: return Cause::connection_lost;
  }
}

struct ErrcodeAndText {
  std::int64_t errcode;
  std::string errmsg;
};

std::optional<ErrcodeAndText> read_errcode(json::object const& body) {
  auto const errcode = wechat_integer_member(body, "errcode");
  constexpr std::int64_t representable = std::numeric_limits<int>::max();
  if (!errcode || *errcode > representable || *errcode < -representable) return std::nullopt;
  auto const errmsg = wechat_string_member(body, "errmsg");
  return ErrcodeAndText{.errcode = *errcode, .errmsg = errmsg ? *errmsg : std::string()};
}

// "invalid ip 47.102.104.75 ipv6 ::ffff:…, not in whitelist": the address to put on the white list.
std::string rejected_address(std::string_view errmsg) {
  constexpr std::string_view mark = "invalid ip ";
  auto const found = errmsg.find(mark);
  if (found == std::string_view::npos) return {};
  std::string_view const rest = errmsg.substr(found + mark.size());
  std::string_view const address = rest.substr(0, rest.find_first_of(" ,"));
  constexpr std::string_view allowed = "0123456789abcdefABCDEF.:";
  return address.find_first_not_of(allowed) == std::string_view::npos ? std::string(address) : std::string();
}

std::string hint_for(ErrcodeRule const& rule, std::string_view errmsg) {
  std::string hint(rule.hint);
  std::string const address = rejected_address(errmsg);
  if (!address.empty()) hint.append(" (").append(address).append(")");
  return hint;
}

Answer doubt(Cause cause, std::string hint) {
  return {.verdict = Verdict::doubt, .cause = cause, .hint = std::move(hint)};
}

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<PhoneNumber> read_number(json::object const& info) {
  auto const number = wechat_string_member(info, "phoneNumber");
  auto const pure = wechat_string_member(info, "purePhoneNumber");
  auto const country = wechat_string_member(info, "countryCode");
  constexpr std::size_t characters_max = 32;
  if (!number || !pure || !country || number->size() > characters_max || number->empty()) return std::nullopt;
  if (!is_digits(*pure) || pure->size() > characters_max || country->size() > characters_max)
    return std::nullopt;
  std::string_view const digits = std::string_view(*country).substr(country->starts_with('+') ? 1 : 0);
  if (!is_digits(digits)) return std::nullopt;
  PhoneNumber read;
  read.phone_number = Confidential<struct PhoneNumberTag>(*number);
  read.pure_phone_number = Confidential<struct PurePhoneNumberTag>(*pure);
  read.country_code = std::string(digits);
  return read;
}

bool is_ours_and_fresh(json::object const& info, std::string_view appid, WallTime now) {
  auto const watermark = object_member(info, "watermark");
  if (!watermark) return false;
  auto const their_appid = wechat_string_member(**watermark, "appid");
  auto const timestamp_s = wechat_integer_member(**watermark, "timestamp");
  if (!their_appid || !timestamp_s || *their_appid != appid) return false;
  if (*timestamp_s <= 0) return false;  // and so the difference cannot overflow
  std::int64_t const age_s = unix_seconds(now) - *timestamp_s;
  constexpr std::int64_t age_s_max = std::chrono::seconds(limits::watermark_age_max).count();
  return age_s <= age_s_max && age_s >= -age_s_max;
}

Answer read_success(json::object const& body, std::string_view appid, WallTime now) {
  auto const info = object_member(body, "phone_info");
  if (!info) return doubt(Cause::malformed_answer, "errcode 0 without phone_info");
  if (!is_ours_and_fresh(**info, appid, now)) {
    return doubt(Cause::watermark, "a number of another appid, or one whose time is off");
  }
  auto number = read_number(**info);
  if (!number) return doubt(Cause::malformed_answer, "phone_info without a usable number");
  return {.verdict = Verdict::number, .errcode = 0, .number = std::move(number)};
}

}  // namespace

std::string_view to_string(TransportFailure failure) {
  switch (failure) {
    case TransportFailure::none: break;
    case TransportFailure::resolve: return "name not resolved";
    case TransportFailure::connect: return "no connection";
    case TransportFailure::tls: return "TLS failed";
    case TransportFailure::timeout: return "no answer in time";
    case TransportFailure::connection_lost: return "connection lost";
    case TransportFailure::malformed: return "not an HTTP answer";
    case TransportFailure::too_large: return "answer too large";
  }
  return "";
}

std::span<ErrcodeRule const> errcode_rules() { return rules; }

ErrcodeRule const* rule_for(std::int64_t errcode) {
  auto const found =
      std::ranges::find(rules, errcode, [](ErrcodeRule const& rule) { return std::int64_t{rule.errcode}; });
  return found == rules.end() ? nullptr : &*found;
}

std::string transport_hint(WeChatReply const& reply) {
  std::string hint(to_string(reply.failure));
  if (!reply.failure_detail.empty()) hint.append(": ").append(reply.failure_detail);
  return hint;
}

std::string rid_of(std::string_view errmsg) {
  constexpr std::string_view mark = "rid: ";
  constexpr std::size_t rid_characters = 26;  // 8-8-8 hex digits
  auto const found = errmsg.rfind(mark);
  if (found == std::string_view::npos) return {};
  std::string_view const rid = errmsg.substr(found + mark.size(), rid_characters);
  bool const well_formed =
      rid.size() == rid_characters && rid.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
  return well_formed ? std::string(rid) : std::string();
}

Answer judge_phone_answer(WeChatReply const& reply, std::string_view appid, WallTime now) {
  if (reply.delivery == Delivery::not_sent) {
    return {.verdict = Verdict::not_sent, .cause = Cause::not_sent, .hint = transport_hint(reply)};
  }
  if (reply.delivery == Delivery::maybe_sent) return doubt(doubt_cause(reply.failure), transport_hint(reply));
  auto const body = parse_wechat_json(reply.body);
  auto const said = body ? read_errcode(*body) : std::nullopt;
  constexpr int http_ok = 200;
  if (!said && reply.http_status != http_ok) {
    return doubt(Cause::http_error, "HTTP status " + std::to_string(reply.http_status));
  }
  if (!said) return doubt(Cause::malformed_answer, "an answer without errcode");
  if (said->errcode == 0) return read_success(*body, appid, now);
  Answer answer{.verdict = Verdict::doubt,
                .cause = Cause::unknown_errcode,
                .errcode = static_cast<int>(said->errcode),
                .rid = rid_of(said->errmsg),
                .hint = "classify me: an errcode this version does not know, so the code is in doubt"};
  if (ErrcodeRule const* rule = rule_for(said->errcode); rule != nullptr) {
    answer.verdict = rule->verdict;
    answer.cause = rule->cause;
    answer.hint = hint_for(*rule, said->errmsg);
  }
  return answer;
}

std::string_view alarm_of(Answer const& answer) {
  constexpr int daily_limit = 45009;
  if (answer.cause == Cause::unknown_errcode) return "errcode_unknown";
  if (answer.cause == Cause::watermark) return "watermark_mismatch";
  if (answer.verdict == Verdict::misconfigured) return "wechat_refused_configuration";
  return answer.errcode == daily_limit ? "daily_limit_reached" : "";
}

std::optional<PhoneNumber> read_user_data(std::string_view clear_text, std::string_view appid, WallTime now) {
  auto const info = parse_wechat_json(clear_text);
  if (!info || !is_ours_and_fresh(*info, appid, now)) return std::nullopt;
  return read_number(*info);
}

std::optional<int> errcode_of(WeChatReply const& reply) {
  auto const body = parse_wechat_json(reply.body);
  auto const said = body ? read_errcode(*body) : std::nullopt;
  if (!said) return std::nullopt;
  return static_cast<int>(said->errcode);
}

ProbeAnswer judge_probe_answer(WeChatReply const& reply) {
  if (reply.delivery != Delivery::answered) return {.hint = transport_hint(reply)};
  auto const body = parse_wechat_json(reply.body);
  auto const said = body ? read_errcode(*body) : std::nullopt;
  if (!said) return {.hint = "no errcode, HTTP status " + std::to_string(reply.http_status)};
  ErrcodeRule const* const rule = rule_for(said->errcode);
  constexpr int system_error = -1;
  return {.trusted = said->errcode != system_error,
          .token_refused = rule != nullptr && rule->verdict == Verdict::token_refused,
          .hint = rule != nullptr ? hint_for(*rule, said->errmsg) : std::string()};
}

TokenAnswer judge_token_answer(WeChatReply const& reply) {
  if (reply.delivery != Delivery::answered) return {.hint = transport_hint(reply)};
  auto const body = parse_wechat_json(reply.body);
  if (!body) return {.hint = "not JSON, HTTP status " + std::to_string(reply.http_status)};
  auto const token = string_member(*body, "access_token");
  auto const lifetime_s = wechat_integer_member(*body, "expires_in");
  constexpr std::int64_t lifetime_s_max = 86400;
  if (token && !token->empty() && lifetime_s && *lifetime_s > 0 && *lifetime_s <= lifetime_s_max) {
    return {.fetched =
                FetchedToken{.token = AccessToken(std::string(*token)), .lifetime = seconds(*lifetime_s)}};
  }
  auto const said = read_errcode(*body);
  if (!said) return {.hint = "neither access_token nor errcode in the answer"};
  TokenAnswer answer{.errcode = static_cast<int>(said->errcode), .rid = rid_of(said->errmsg)};
  ErrcodeRule const* const rule = rule_for(said->errcode);
  answer.hint = rule != nullptr ? hint_for(*rule, said->errmsg) : "an errcode this version does not know";
  answer.rejected_address = rejected_address(said->errmsg);
  // Here 40001 speaks of the secret: there is no token yet that could be stale (facts §3.3).
  constexpr int invalid_credential = 40001;
  if (said->errcode == invalid_credential) answer.hint = "SECRET is wrong, or not this APPID's";
  answer.misconfigured =
      said->errcode == invalid_credential || (rule != nullptr && rule->verdict == Verdict::misconfigured);
  return answer;
}

}  // namespace onetap::core
