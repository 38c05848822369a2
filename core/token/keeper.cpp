#include "core/token/keeper.hpp"

#include <utility>

namespace onetap::core {

TokenKeeper::TokenKeeper(Clock& clock, WeChat& wechat, Log& log, Identity identity, milliseconds answer_time,
                         Jitter jitter)
    : clock_(clock),
      wechat_(wechat),
      log_(log),
      identity_(std::move(identity)),
      answer_time_(answer_time),
      jitter_(std::move(jitter)),
      schedule_(clock.steady()) {}

Task<> TokenKeeper::run() {
  co_await shield_from_cancellation();
  while (!stopping_) {
    if (clock_.steady() < schedule_.next_fetch()) {
      [[maybe_unused]] bool const woken = co_await clock_.wait(wake_run_, schedule_.next_fetch());
      continue;
    }
    fetching_ = true;
    auto const deadline = clock_.steady() + answer_time_;
    WeChatReply const reply = co_await wechat_.get_stable_token(identity_.appid, identity_.secret, deadline);
    fetching_ = false;
    take(judge_token_answer(reply));
    fetch_ended_.notify_all();
  }
}

void TokenKeeper::stop() {
  stopping_ = true;
  wake_run_.notify_all();
  if (!fetching_) fetch_ended_.notify_all();  // none will begin
}

std::optional<HeldToken> TokenKeeper::current() const {
  if (!held_ || clock_.steady() >= expires_at_) return std::nullopt;
  return held_;
}

Task<std::optional<HeldToken>> TokenKeeper::get(SteadyTime deadline) {
  while (true) {
    auto held = current();
    if (held) co_return held;
    bool const coming = !stopping_ && (fetching_ || schedule_.next_fetch() <= clock_.steady());
    if (!coming) co_return std::nullopt;
    bool const ended = co_await clock_.wait(fetch_ended_, deadline);
    if (!ended) co_return current();
  }
}

void TokenKeeper::drop(std::uint64_t generation) {
  if (!held_ || held_->generation != generation) return;
  refused_ = held_->token;
  held_.reset();
  schedule_.dropped(clock_.steady());
  log_.warn("token_dropped", {{"app", identity_.appid}, {"generation", generation}});
  wake_run_.notify_all();
}

milliseconds TokenKeeper::until_next_fetch() const {
  SteadyTime const now = clock_.steady();
  if (fetching_ || schedule_.next_fetch() <= now) return milliseconds(0);
  return std::chrono::ceil<milliseconds>(schedule_.next_fetch() - now);
}

void TokenKeeper::take(TokenAnswer answer) {
  SteadyTime const now = clock_.steady();
  misconfigured_ = answer.misconfigured;
  if (answer.fetched) {
    expires_at_ = now + answer.fetched->lifetime;
    schedule_.fetched(now, answer.fetched->lifetime, jitter_());
    bool const was_refused = !refused_.empty() && answer.fetched->token.reveal() == refused_.reveal();
    held_ = HeldToken{
        .token = std::move(answer.fetched->token), .generation = ++generation_, .was_refused = was_refused};
    log_.info("token_fetched", {{"app", identity_.appid},
                                {"expires_in_s", answer.fetched->lifetime.count()},
                                {"generation", generation_}});
    return;
  }
  if (answer.misconfigured) {
    schedule_.misconfigured(now);
  } else {
    schedule_.failed(now);
  }
  log_.error("token_fetch_failed", {{"app", identity_.appid},
                                    {"errcode", answer.errcode.value_or(0)},
                                    {"rid", answer.rid},
                                    {"hint", answer.hint}});
}

}  // namespace onetap::core
