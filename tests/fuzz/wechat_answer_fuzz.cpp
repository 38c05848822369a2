// WeChat's answers: no bytes make a number out of what is not ours, or two verdicts of one answer.
#include "core/exchange/answer.hpp"
#include "core/gate/login_answer.hpp"
#include "core/limits.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace core = onetap::core;
using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  constexpr std::string_view appid = "wx0123456789abcdef";
  std::string const body(onetap::tests::text_of(data, size));
  core::WallTime const now = core::wall_time_of_unix_ms(1'790'000'000'000);
  core::WeChatReply const reply{.delivery = core::Delivery::answered, .http_status = 200, .body = body};
  core::Answer const answer = core::judge_phone_answer(reply, appid, now);
  promise(answer.number.has_value() == (answer.verdict == core::Verdict::number));
  promise(!answer.number || body.find("appid") != std::string::npos || body.find("\\u") != std::string::npos);
  promise(!answer.number || answer.errcode.value_or(0) == 0);
  core::TokenAnswer const token = core::judge_token_answer(reply);
  promise(!token.fetched || (!token.fetched->token.empty() && token.fetched->lifetime.count() > 0));
  auto const login = core::judge_login_answer(reply);
  promise(!login || (!login->openid.empty() && !login->session_key.empty()));
  auto const keys = core::judge_user_keys_answer(reply);
  promise(!keys || keys->size() <= 3);
  return 0;
}
