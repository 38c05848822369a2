#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/wechat.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// What a reply of WeChat's means for a code.
enum class Verdict {
  number,         // the number, ours and fresh
  code_invalid,   // WeChat looked at the code and refused it; final
  token_refused,  // refused before the code was looked at: a new token, and once more
  rate_limited,   // refused before the code was looked at
  misconfigured,  // refused before the code was looked at; the operator must act
  no_quota,       // refused: the resource pack is used up
  not_sent,       // no byte left
  doubt,          // anything else: the code may be spent and the answer lost
};

struct Answer {
  Verdict verdict = Verdict::doubt;
  Cause cause = Cause::none;          // set where the verdict leads to `retryable` or `in_doubt`
  std::optional<int> errcode;         // when WeChat sent one
  std::string rid;                    // WeChat's request id, for its support; may be empty
  std::optional<PhoneNumber> number;  // with Verdict::number
  std::string hint;                   // one line for the operator; may be empty
};

/// One row of WeChat's errcodes as getuserphonenumber and the token endpoints send them
/// (facts/wechat-api.md §1.3, §3.3).
struct ErrcodeRule {
  int errcode;
  Verdict verdict;
  Cause cause;
  std::string_view hint;
};

/// Every errcode this server knows. One that is not here is doubt.
[[nodiscard]] std::span<ErrcodeRule const> errcode_rules();
/// Its row; null for one that is not here.
[[nodiscard]] ErrcodeRule const* rule_for(std::int64_t errcode);

/// Why there is no answer, in one line for the operator.
[[nodiscard]] std::string transport_hint(WeChatReply const& reply);

/// `appid` is the one whose code was sent; `now` is compared with the watermark's time.
[[nodiscard]] Answer judge_phone_answer(WeChatReply const& reply, std::string_view appid, WallTime now);

/// What the operator must hear of besides the exchange itself, as the name of a log line; empty: nothing.
[[nodiscard]] std::string_view alarm_of(Answer const& answer);

/// The number in what a page's encryptedData says (facts §5); none unless it is of this appid, and its time
/// no more than limits::watermark_age_max off `now`.
[[nodiscard]] std::optional<PhoneNumber> read_user_data(std::string_view clear_text, std::string_view appid,
                                                        WallTime now);

struct FetchedToken {
  AccessToken token;
  seconds lifetime{};  // expires_in
};

/// The token endpoint's reply: a token, or why there is none.
struct TokenAnswer {
  std::optional<FetchedToken> fetched;
  bool misconfigured = false;  // asking again changes nothing until the operator has acted
  std::optional<int> errcode;
  std::string rid;
  std::string hint;              // one line for the operator
  std::string rejected_address;  // ours, as WeChat sees it, where it is why (40164); else empty
};

[[nodiscard]] TokenAnswer judge_token_answer(WeChatReply const& reply);

/// A reply's errcode; none when it has none.
[[nodiscard]] std::optional<int> errcode_of(WeChatReply const& reply);

/// The reply to a free call: whether WeChat can be asked again.
struct ProbeAnswer {
  bool trusted = false;
  bool token_refused = false;
  std::string hint;  // one line for the operator; may be empty
};

[[nodiscard]] ProbeAnswer judge_probe_answer(WeChatReply const& reply);

/// The rid at the end of an errmsg ("… rid: 6458a111-5785bc4d-452368fb"), or nothing.
[[nodiscard]] std::string rid_of(std::string_view errmsg);

}  // namespace onetap::core
