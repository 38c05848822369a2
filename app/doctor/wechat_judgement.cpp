#include "app/doctor/wechat_judgement.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdlib>

#include "core/billing/usage.hpp"
#include "core/json.hpp"
#include "core/limits.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;
namespace limits = core::limits;

constexpr std::int64_t share_low = 10;  // a tenth
constexpr int no_units_left = 1400001;  // facts/wechat-api.md §1.3

struct Advice {
  int errcode;
  std::string_view text;
};

constexpr std::string_view copy_credentials = "copy AppID and AppSecret anew from mp.weixin.qq.com, 开发管理";
constexpr std::string_view confirm_address =
    "let the mini program's administrator confirm this server's address in WeChat, then ask again";

// What an errcode means is core's to say (errcode_rules); here is what to do about it.
constexpr std::array advices{
    Advice{-1, "ask again in a minute"},
    Advice{40001, copy_credentials},
    Advice{40013, copy_credentials},
    Advice{40125, copy_credentials},
    Advice{
        40164,
        "put the address on the IP white list in mp.weixin.qq.com, 开发管理, or name a proxy that is on it "
        "in ONETAP_WECHAT_PROXY"},
    Advice{40243, "unfreeze the AppSecret in mp.weixin.qq.com, 开发管理"},
    Advice{41002, copy_credentials},
    Advice{45009, "wait for midnight in China, or clear the day's count by WeChat's clear_quota"},
    Advice{45011, "ask again in a minute"},
    Advice{48001,
           "see in mp.weixin.qq.com that the mini program is verified and not a person's; a third-party "
           "platform needs permission set 18"},
    Advice{50004, "see the notices of the account in mp.weixin.qq.com"},
    Advice{50007, "see the notices of the account in mp.weixin.qq.com"},
    Advice{89501, confirm_address},
    Advice{89503, confirm_address},
    Advice{89506, "ask again in 24 hours, and let the administrator agree"},
    Advice{89507, "ask again in an hour, and let the administrator agree"},
    Advice{10120700, "compare the component's spuId with 付费管理 in mp.weixin.qq.com"},
    Advice{no_units_left, "buy a resource pack in mp.weixin.qq.com, 付费管理"},
};

std::string advice_for(std::optional<int> errcode) {
  if (!errcode)
    return "ask again in a minute; where it stays so, see whether a proxy, firewall or captive portal on the "
           "way drops what WeChat says, or answers in its place";
  auto const* const found = std::ranges::find(advices, *errcode, &Advice::errcode);
  if (found != advices.end()) return std::string(found->text);
  return "look up the errcode in WeChat's documentation, and tell us of it";
}

// With the address as WeChat sees it, which behind NAT no command of this machine tells.
std::string on_white_list(core::TokenAnswer const& answer) {
  std::string advice = advice_for(answer.errcode);
  constexpr std::string_view the_address = "put the address on";
  if (!answer.rejected_address.empty() && advice.starts_with(the_address))
    advice.replace(0, the_address.size(), "put " + answer.rejected_address + " on");
  return advice;
}

bool is_about_address(int errcode) {
  constexpr std::array about_address{40164, 89501, 89503, 89506, 89507};
  return std::ranges::find(about_address, errcode) != about_address.end();
}

// Passes by itself.
bool is_passing(std::optional<int> errcode) { return errcode == -1 || errcode == 45009 || errcode == 45011; }

std::string with_errcode(std::string text, std::optional<int> errcode) {
  return errcode ? text + " (errcode " + std::to_string(*errcode) + ")" : text;
}

bool is_about_token(int errcode) {
  core::ErrcodeRule const* const rule = core::rule_for(errcode);
  return rule != nullptr && rule->verdict == core::Verdict::token_refused;
}

// The rules' hints speak of the code that was sent; here none is at stake.
std::string hint_of(int errcode, std::string_view hint) {
  if (errcode == -1) return "WeChat is busy";
  if (core::rule_for(errcode) == nullptr) return "refused, and this version does not know why";
  return std::string(hint);
}

std::string shown(std::optional<int> errcode, std::string const& hint) {
  if (!errcode) return hint.empty() ? "an answer that cannot be" : hint;
  return with_errcode(hint_of(*errcode, hint), errcode);
}

/// Of a reply that is no success.
Finding judge_refusal(std::string_view check, core::WeChatReply const& reply, std::string_view asked) {
  std::optional<int> const errcode = core::errcode_of(reply);
  std::string what(asked);
  if (reply.delivery != core::Delivery::answered) {
    what += ": " + core::transport_hint(reply);
  } else if (!errcode) {
    what += ": no errcode in the answer, HTTP status " + std::to_string(reply.http_status);
  } else if (*errcode == 0) {
    return found_odd(check, what + ": an answer without its figures, or with figures that cannot be",
                     "ask again; where it stays so, look in mp.weixin.qq.com, and tell us of it");
  } else {
    core::ErrcodeRule const* const rule = core::rule_for(*errcode);
    what += ": " + shown(errcode, rule != nullptr ? std::string(rule->hint) : std::string());
  }
  if (errcode && is_about_token(*errcode))
    return found_odd(check, std::move(what),
                     "ask again; where it stays so, see who else fetches access_tokens for this appid: the "
                     "newest counts");
  return found_odd(check, std::move(what), advice_for(errcode));
}

std::string advice_on_tls(std::string_view detail) {
  auto const says = [detail](std::string_view words) { return detail.find(words) != std::string_view::npos; };
  if (says("expired") || says("not yet valid")) return "compare this machine's clock first (timedatectl)";
  if (says("mismatch")) return "name the host that the certificate is made out to, in ONETAP_WECHAT_URL";
  if (says("certificate") || says("issuer"))
    return "install ca-certificates, or correct ONETAP_WECHAT_CA; a firewall that opens TLS must be trusted "
           "there, or let this host through";
  return "see whether a firewall or proxy on the way lets TLS 1.2 and 1.3 through";
}

std::string advice_on(LineSeen const& line) {
  switch (line.failure) {
    case core::TransportFailure::resolve:
      return line.by_proxy ? "correct the proxy's name in ONETAP_WECHAT_PROXY, or this machine's name servers"
                           : "see to this machine's name servers (/etc/resolv.conf)";
    case core::TransportFailure::tls: return advice_on_tls(line.failure_detail);
    default:
      return line.by_proxy
                 ? "see that the proxy runs and may connect to " + line.host
                 : "let this machine connect to " + line.host + ", or name a proxy in ONETAP_WECHAT_PROXY";
  }
}

std::int64_t days_between(core::WallTime from, core::WallTime until) {
  return std::chrono::floor<std::chrono::days>(until - from).count();
}

constexpr std::int64_t no_count = -1;

std::int64_t count_in(json::object const& object, std::string_view name) {
  auto const count = core::wechat_integer_member(object, name);
  return count && *count >= 0 ? *count : no_count;
}

std::string check_of_usage(core::Kind kind) { return "usage-" + std::string(core::to_string(kind)); }

}  // namespace

Finding judge_line(LineSeen const& line, core::WallTime now) {
  constexpr std::string_view check = "wechat-tls";
  if (line.failure != core::TransportFailure::none) {
    std::string what = std::string(core::to_string(line.failure)) + ": " + line.failure_detail;
    // While the others answer, nothing is lost.
    return line.is_first ? found_wrong(check, std::move(what), advice_on(line))
                         : found_odd(check, std::move(what), advice_on(line));
  }
  std::string what = line.host + (line.by_proxy ? " through the proxy: " : ": ") + line.tls_version;
  if (!line.certificate) return found_well(check, std::move(what));
  std::int64_t const days = days_between(now, line.certificate->until);
  what += ", its certificate is good for " + std::to_string(days) + " days";
  return found_well(check, std::move(what));  // WeChat's to renew, and nobody else's
}

Finding judge_clock(std::optional<core::seconds> offset) {
  constexpr std::string_view check = "clock";
  if (!offset) return left_out(check, "no answer of WeChat's to compare with");
  core::seconds const off = std::chrono::abs(*offset);
  std::string const what = "this clock is " + std::to_string(off.count()) + " s " +
                           (*offset < core::seconds(0) ? "ahead of" : "behind") + " WeChat's";
  if (off >= limits::clock_skew_refused)
    return found_wrong(check, what + ": from 5 minutes on, nothing is exchanged",
                       "put it right and keep it so by NTP (timedatectl set-ntp true)");
  if (off >= limits::clock_skew_alarm)
    return found_odd(check, what, "put it right and keep it so by NTP (timedatectl set-ntp true)");
  return found_well(check, what);
}

Findings judge_token_of_wechat(core::TokenAnswer const& answer) {
  constexpr std::string_view secret = "secret";
  constexpr std::string_view white_list = "white-list";
  if (answer.fetched) {
    return {found_well(secret, "WeChat gives an access_token for appid and secret"),
            found_well(white_list, "WeChat takes calls from this server's address")};
  }
  std::string const what = shown(answer.errcode, answer.hint);
  if (answer.errcode && is_about_address(*answer.errcode)) {
    return {left_out(secret, "not known while WeChat refuses the address"),
            found_wrong(white_list, what, on_white_list(answer))};
  }
  std::string const advice = advice_for(answer.errcode);
  bool const passes = is_passing(answer.errcode);
  return {passes ? found_odd(secret, what, advice) : found_wrong(secret, what, advice),
          left_out(white_list, "not known before WeChat gives a token")};
}

Finding judge_permission(core::Answer const& answer) {
  constexpr std::string_view check = "permission";
  std::string const what = shown(answer.errcode, answer.hint);
  switch (answer.verdict) {
    case core::Verdict::code_invalid:
      return found_well(check, "getuserphonenumber may be called: it looked at a code that nobody has");
    case core::Verdict::misconfigured: return found_wrong(check, what, advice_for(answer.errcode));
    case core::Verdict::token_refused:
      return found_wrong(check, what, "see who else fetches access_tokens for this appid: the newest counts");
    case core::Verdict::not_sent: return found_wrong(check, what, advice_for(std::nullopt));
    case core::Verdict::no_quota:
      return found_wrong(check, what + ": the button fails now", advice_for(answer.errcode));
    default: return found_odd(check, what, advice_for(answer.errcode));
  }
}

Finding judge_call_quota(core::WeChatReply const& reply) {
  constexpr std::string_view check = "call-quota";
  auto const body = core::parse_wechat_json(reply.body);
  auto const quota = body ? core::object_member(*body, "quota")
                          : core::Result<json::object const*, core::MemberFault>(core::MemberFault::absent);
  if (core::errcode_of(reply) != 0 || !quota) return judge_refusal(check, reply, "openapi/quota/get");
  std::int64_t const limit = count_in(**quota, "daily_limit");
  std::int64_t const remain = count_in(**quota, "remain");
  std::int64_t const used = count_in(**quota, "used");
  if (limit == no_count || (limit > 0 && (remain == no_count || used == no_count)))
    return judge_refusal(check, reply, "openapi/quota/get");
  if (limit == 0) return found_well(check, "WeChat names no daily limit for getuserphonenumber");
  std::string const what = "getuserphonenumber: " + std::to_string(used) + " of " + std::to_string(limit) +
                           " calls of the day used, " + std::to_string(remain) + " left";
  if (remain == 0) return found_wrong(check, what, advice_for(45009));
  if (remain < limit / share_low)
    return found_odd(check, what, "ask WeChat for more in mp.weixin.qq.com, or wait for midnight in China");
  return found_well(check, what);
}

Finding judge_usage(core::WeChatReply const& reply, core::Kind kind, std::int64_t spu_id) {
  std::string const check = check_of_usage(kind);
  std::string const spu = "spuId " + std::to_string(spu_id);
  auto page = core::judge_usage_answer(reply);
  if (!page) return judge_refusal(check, reply, "charge/usage/get of " + spu);
  core::UsageSnapshot const usage{.appid = {}, .kind = kind, .packs = std::move(page->packs), .as_of = {}};
  auto const packs =
      std::ranges::count(usage.packs, core::PackUsage::Status::in_force, &core::PackUsage::status);
  if (packs == 0)
    return found_well(check, spu + ": no packs in effect; an account that is exempt from fees needs none");
  std::string const what = spu + ": " + std::to_string(usage.units_left()) + " of " +
                           std::to_string(usage.units()) + " units left in " + std::to_string(packs) +
                           (packs == 1 ? " pack" : " packs");
  if (usage.units_left() <= 0)
    return found_wrong(check, what + ": the button fails now", advice_for(no_units_left));
  if (usage.units_left() < usage.units() / share_low)
    return found_odd(check, what,
                     "buy a resource pack in mp.weixin.qq.com, 付费管理, before the button fails");
  return found_well(check, what);
}

}  // namespace onetap::app
