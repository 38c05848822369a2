#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/exchange/answer.hpp"
#include "core/exchange/wechat.hpp"
#include "core/log.hpp"
#include "core/token/schedule.hpp"

namespace onetap::core {

/// An access_token, and which one: a refusal that arrives late must not drop a newer token.
struct HeldToken {
  AccessToken token;
  std::uint64_t generation = 0;
  bool was_refused = false;  // WeChat gave it again after it had refused it
};

/// Holds the one access_token. Only run() fetches, so at most one fetch is in flight; everybody else
/// waits for it, each to its own deadline. Never forces a refresh (facts/wechat-api.md §3.1).
class TokenKeeper {
 public:
  struct Identity {
    std::string appid;
    AppSecret secret;
  };
  /// In [0, 1); see TokenSchedule::fetched.
  using Jitter = std::function<double()>;

  TokenKeeper(Clock& clock, WeChat& wechat, Log& log, Identity identity, milliseconds answer_time,
              Jitter jitter);
  TokenKeeper(TokenKeeper const&) = delete;
  TokenKeeper& operator=(TokenKeeper const&) = delete;
  ~TokenKeeper() = default;

  /// Fetches when the schedule says so, until stop().
  [[nodiscard]] Task<> run();
  void stop();

  /// The token, if one is held and has not expired.
  [[nodiscard]] std::optional<HeldToken> current() const;

  /// The token; waits for a fetch that is due or under way. None at `deadline`, or at once when the last
  /// fetch failed and the next is not due.
  [[nodiscard]] Task<std::optional<HeldToken>> get(SteadyTime deadline);

  /// WeChat refused this one. Does nothing when another has taken its place.
  void drop(std::uint64_t generation);

  /// How long until the next fetch; zero while one is due or under way. What a client is told to wait.
  [[nodiscard]] milliseconds until_next_fetch() const;

  /// True while WeChat says that the operator must act before there can be a token.
  [[nodiscard]] bool misconfigured() const { return misconfigured_; }

 private:
  void take(TokenAnswer answer);

  Clock& clock_;
  WeChat& wechat_;
  Log& log_;
  Identity identity_;
  milliseconds answer_time_;
  Jitter jitter_;
  TokenSchedule schedule_;
  std::optional<HeldToken> held_;
  AccessToken refused_;  // the one dropped last
  SteadyTime expires_at_{};
  std::uint64_t generation_ = 0;
  bool fetching_ = false;
  bool misconfigured_ = false;
  bool stopping_ = false;
  Signal wake_run_;
  Signal fetch_ended_;
};

}  // namespace onetap::core
