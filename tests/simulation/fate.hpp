#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/exchange/ledger.hpp"
#include "core/exchange/wechat.hpp"

namespace onetap::simulation {

/// What can become of one call of getuserphonenumber.
enum class Fate {
  number,
  code_invalid,
  code_used,
  token_refused,
  calls_per_minute,
  calls_per_day,
  misconfigured,
  no_quota,
  not_sent,
  silence_before,  // the request is lost, and nothing comes
  silence_after,   // the code is spent, and nothing comes
  reset_before,
  reset_after,
  slow,  // the answer would come after the deadline
  system_error_unspent,
  system_error_spent,
  unknown_errcode,
  garbage,
  half_an_answer,
  bad_gateway,
  too_large,
  foreign_watermark,
  stale_watermark,
};

/// What the ledger must say of it afterwards (design/ledger.md), told without the product's table.
struct FateRule {
  Fate fate;
  std::string_view name;
  core::State state;
  core::Cause cause;
  bool spends;  // a genuine code's unit and number are gone
};

[[nodiscard]] FateRule const& rule_of(Fate fate);
[[nodiscard]] std::span<FateRule const> fate_rules();

/// A number of WeChat's, as the answer's body says it.
struct GivenNumber {
  std::string digits;
  std::string appid;
  std::int64_t timestamp_s = 0;
};

/// As it comes back to the server. `given` is for the fates that bring a number.
[[nodiscard]] core::WeChatReply reply_of(Fate fate, GivenNumber const& given);
[[nodiscard]] core::WeChatReply says_errcode(int errcode);

}  // namespace onetap::simulation
