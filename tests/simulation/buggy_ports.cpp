#include "tests/simulation/buggy_ports.hpp"

#include "tests/simulation/fate.hpp"
#include "tests/simulation/model_wechat.hpp"

namespace onetap::simulation {

core::Intent BuggyLedger::bent(core::Intent intent) {
  if (bugs_.has(Bug::owner_forgotten)) {
    auto const first = first_caller_.try_emplace(intent.code_key, intent.caller).first;
    intent.caller = first->second;
  }
  if (bugs_.has(Bug::code_forgotten)) {
    auto const begun = times_begun_.find(intent.code_key);
    if (begun != times_begun_.end()) intent.code_key.digest[0] ^= begun->second;
  }
  return intent;
}

core::Task<core::ledger::FindResult> BuggyLedger::find(core::Intent intent) {
  return ledger_.find(bent(std::move(intent)));
}

core::Task<core::ledger::BeginResult> BuggyLedger::begin(core::Intent intent) {
  core::CodeKey const code_key = intent.code_key;
  auto result = co_await ledger_.begin(bent(std::move(intent)));
  if (std::holds_alternative<core::ledger::Started>(result)) ++times_begun_[code_key];
  co_return result;
}

core::Task<std::optional<core::AttemptId>> BuggyLedger::resend(core::Resend resend) {
  if (bugs_.has(Bug::resend_unrecorded)) co_return resend.refused;
  auto attempt = co_await ledger_.resend(std::move(resend));
  co_return attempt;
}

core::Task<> BuggyLedger::settle(core::Settlement settlement) {
  if (bugs_.has(Bug::outcome_dropped)) co_return;
  bool const is_lost = bugs_.has(Bug::t2_never_told) && settlement.attempt.consumption % 100 == 0;
  co_await ledger_.settle(std::move(settlement));
  if (is_lost) co_await clock_.sleep_until(core::SteadyTime::max());
}

core::WeChatReply BuggyWeChat::bent(core::WeChatReply reply) {
  auto const says = [&reply](std::string_view text) { return reply.body.find(text) != std::string::npos; };
  bool const is_timeout = reply.failure == core::TransportFailure::timeout;
  bool const is_invalid = says(R"("errcode":40029)") || says(R"("errcode":40163)");
  if (bugs_.has(Bug::timeout_as_system_error) && is_timeout) return says_errcode(-1);
  if (bugs_.has(Bug::timeout_as_not_sent) && is_timeout) reply.delivery = core::Delivery::not_sent;
  if (bugs_.has(Bug::system_error_as_refusal) && says(R"("errcode":-1)")) return says_errcode(45011);
  if (bugs_.has(Bug::unknown_as_invalid) && says(R"("errcode":99999)")) return says_errcode(40029);
  if (bugs_.has(Bug::invalid_as_refusal) && is_invalid) return says_errcode(45011);
  if (bugs_.has(Bug::foreign_watermark_taken) && says(R"("appid":"wxfe)")) {
    auto const foreign = reply.body.find("wxfe");
    reply.body.replace(foreign, std::string_view(appid).size(), appid);
  }
  if (bugs_.has(Bug::answers_mixed_up) && says("phone_info")) std::swap(reply.body, last_number_);
  return reply;
}

core::Task<core::WeChatReply> BuggyWeChat::get_user_phone_number(std::unique_ptr<core::WeChatLine> line,
                                                                 core::AccessToken access_token,
                                                                 core::Code code, core::OpenId openid,
                                                                 core::milliseconds answer_time,
                                                                 core::SteadyTime deadline) {
  auto reply = co_await wechat_.get_user_phone_number(std::move(line), access_token, code, openid,
                                                      answer_time, deadline);
  bool const is_lost = reply.failure == core::TransportFailure::connection_lost;
  if (bugs_.has(Bug::sends_twice) && is_lost)
    reply =
        co_await wechat_.get_user_phone_number(nullptr, access_token, code, openid, answer_time, deadline);
  co_return bent(std::move(reply));
}

core::Task<core::TokenAnswer> BuggyTokens::fetch(core::SteadyTime deadline) {
  auto answer = co_await source_.fetch(deadline);
  if (!bugs_.has(Bug::token_asked_for_thrice)) co_return answer;
  answer = co_await source_.fetch(deadline);
  answer = co_await source_.fetch(deadline);
  co_return answer;
}

}  // namespace onetap::simulation
