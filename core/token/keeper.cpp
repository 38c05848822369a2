#include "core/token/keeper.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/gate/session_store.hpp"
#include "core/seeded_bug.hpp"

namespace onetap::core {

std::int64_t row_of_app(std::string_view appid) { return row_of(CallerKey{.digest = crypto::sha256(appid)}); }

TokenKeeper::TokenKeeper(Ports ports, std::string appid, milliseconds answer_time, Jitter jitter)
    : ports_(ports),
      appid_(std::move(appid)),
      answer_time_(answer_time),
      jitter_(std::move(jitter)),
      schedule_(ports.clock.steady()) {}

void TokenKeeper::restore(StoredToken const& stored) {
  auto const left = std::chrono::floor<seconds>(stored.expires - ports_.clock.wall());
  auto const opened =
      ports_.keyring.open(crypto::SealedField::access_token, row_of_app(appid_), stored.sealed_token);
  constexpr auto no_token_lives_longer = seconds(86400);
  if (!opened || left <= seconds(0) || left > no_token_lives_longer) return;
  auto const age = std::max(milliseconds(0), ports_.clock.wall() - stored.fetched);
  SteadyTime const now = ports_.clock.steady();
  hold(AccessToken(std::string(opened->reveal())), now - age, now + left);
  schedule_.fetched(ports_.clock.steady(), left, jitter_());
}

Task<> TokenKeeper::run() {
  co_await shield_from_cancellation();
  while (!stopping_) {
    if (ports_.clock.steady() < schedule_.next_fetch()) {
      [[maybe_unused]] bool const woken = co_await ports_.clock.wait(wake_run_, schedule_.next_fetch());
      continue;
    }
    fetching_ = true;
    auto const deadline = ports_.clock.steady() + answer_time_;
    TokenAnswer answer = co_await ports_.source.fetch(deadline);
    fetching_ = false;
    std::optional<seconds> const lifetime =
        answer.fetched ? std::optional(answer.fetched->lifetime) : std::nullopt;
    take(std::move(answer));
    fetch_ended_.notify_all();
    if (lifetime) co_await keep(*lifetime);
  }
}

void TokenKeeper::stop() {
  stopping_ = true;
  wake_run_.notify_all();
  if (!fetching_) fetch_ended_.notify_all();  // none will begin
}

std::optional<HeldToken> TokenKeeper::current() const {
  if (!held_ || ports_.clock.steady() >= expires_at_) return std::nullopt;
  return held_;
}

Task<std::optional<HeldToken>> TokenKeeper::get(SteadyTime deadline) {
  while (true) {
    auto held = current();
    if (held) co_return held;
    bool const coming = !stopping_ && (fetching_ || schedule_.next_fetch() <= ports_.clock.steady());
    if (!coming) co_return std::nullopt;
    bool const ended = co_await ports_.clock.wait(fetch_ended_, deadline);
    if (!ended) co_return current();
  }
}

void TokenKeeper::drop(std::uint64_t generation) {
  if (!held_ || held_->generation != generation) return;
  if (seeded_bug(SeededBug::refused_token_kept)) return;
  refused_ = held_->token;
  held_.reset();
  ++counts_.dropped;
  schedule_.dropped(ports_.clock.steady());
  ports_.log.warn("token_dropped", {{"app", appid_}, {"generation", generation}});
  wake_run_.notify_all();
}

milliseconds TokenKeeper::until_next_fetch() const {
  SteadyTime const now = ports_.clock.steady();
  if (fetching_ || schedule_.next_fetch() <= now) return milliseconds(0);
  return std::chrono::ceil<milliseconds>(schedule_.next_fetch() - now);
}

TokenStatistics TokenKeeper::statistics() const {
  TokenStatistics statistics = counts_;
  if (!current()) return statistics;
  statistics.fetched_at = fetched_at_;
  statistics.expires_at = expires_at_;
  return statistics;
}

void TokenKeeper::credentials_changed() {
  misconfigured_ = false;
  if (current()) return;
  schedule_.due(ports_.clock.steady());
  wake_run_.notify_all();
}

void TokenKeeper::take(TokenAnswer answer) {
  SteadyTime const now = ports_.clock.steady();
  misconfigured_ = answer.misconfigured;
  if (answer.fetched) {
    bool const is_new = !held_ || held_->token.reveal() != answer.fetched->token.reveal();
    schedule_.fetched(now, answer.fetched->lifetime, jitter_());
    hold(std::move(answer.fetched->token), now, now + answer.fetched->lifetime);
    ++counts_.fetched;
    LogLevel const level = is_new ? LogLevel::info : LogLevel::debug;
    std::initializer_list<Field> const fields{
        {"app", appid_}, {"expires_in_s", answer.fetched->lifetime.count()}, {"generation", generation_}};
    ports_.log.write(level, "token_fetched", {fields.begin(), fields.end()});
    return;
  }
  if (answer.misconfigured) {
    ++counts_.misconfigured;
    schedule_.misconfigured(now);
  } else {
    ++counts_.failed;
    schedule_.failed(now);
  }
  ports_.log.error(
      "token_fetch_failed",
      {{"app", appid_}, {"errcode", answer.errcode.value_or(0)}, {"rid", answer.rid}, {"hint", answer.hint}});
}

void TokenKeeper::hold(AccessToken token, SteadyTime fetched, SteadyTime expires) {
  bool const was_refused = !refused_.empty() && token.reveal() == refused_.reveal();
  fetched_at_ = fetched;
  expires_at_ = expires;
  held_ = HeldToken{.token = std::move(token), .generation = ++generation_, .was_refused = was_refused};
}

Task<> TokenKeeper::keep(seconds lifetime) {
  if (!held_ || !ports_.source.is_ours()) co_return;
  StoredToken stored{.appid = appid_,
                     .sealed_token = ports_.keyring.seal(crypto::SealedField::access_token,
                                                         row_of_app(appid_), held_->token.reveal()),
                     .fetched = ports_.clock.wall(),
                     .expires = ports_.clock.wall() + lifetime};
  bool const kept = co_await ports_.store.keep_token(std::move(stored));
  if (!kept) ports_.log.warn("token_not_kept", {{"app", appid_}});
}

}  // namespace onetap::core
