#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/crypto/keyring.hpp"
#include "core/log.hpp"
#include "core/token/schedule.hpp"
#include "core/token/source.hpp"
#include "core/token/store.hpp"

namespace onetap::core {

/// An access_token, and which one: a refusal that arrives late must not drop a newer token.
struct HeldToken {
  AccessToken token;
  std::uint64_t generation = 0;
  bool was_refused = false;  // WeChat gave it again after it had refused it
};

/// Of one mini program's access_token; counted since the start.
struct TokenStatistics {
  std::uint64_t fetched = 0;               // answers with a token
  std::uint64_t failed = 0;                // answers without, or none
  std::uint64_t misconfigured = 0;         // answers by which the operator must act
  std::uint64_t dropped = 0;               // tokens that WeChat refused before their end
  std::optional<SteadyTime> fetched_at{};  // of the token that is held; none: there is none
  std::optional<SteadyTime> expires_at{};
};

/// Holds one mini program's access_token. Only run() fetches, so at most one fetch is in flight; everybody
/// else waits for it, each to its own deadline.
class TokenKeeper {
 public:
  struct Ports {
    Clock& clock;
    TokenSource& source;
    TokenStore& store;
    crypto::Keyring const& keyring;
    Log& log;
  };
  /// In [0, 1); see TokenSchedule::fetched.
  using Jitter = std::function<double()>;

  TokenKeeper(Ports ports, std::string appid, milliseconds answer_time, Jitter jitter);
  TokenKeeper(TokenKeeper const&) = delete;
  TokenKeeper& operator=(TokenKeeper const&) = delete;
  ~TokenKeeper() = default;

  /// The one that an earlier run kept, if it still lives. Before run().
  void restore(StoredToken const& stored);

  /// Fetches when the schedule says so, until stop().
  [[nodiscard]] Task<> run();
  void stop();

  /// The token, if one is held and has not expired.
  [[nodiscard]] std::optional<HeldToken> current() const;

  /// When the token of current() expires.
  [[nodiscard]] SteadyTime expires() const { return expires_at_; }

  /// The token; waits for a fetch that is due or under way. None at `deadline`, or at once when the last
  /// fetch failed and the next is not due.
  [[nodiscard]] Task<std::optional<HeldToken>> get(SteadyTime deadline);

  /// WeChat refused this one. Does nothing when another has taken its place.
  void drop(std::uint64_t generation);

  /// The operator has changed what tokens are asked for with: where there is none, the next is due now.
  void credentials_changed();

  /// How long until the next fetch; zero while one is due or under way. What a client is told to wait.
  [[nodiscard]] milliseconds until_next_fetch() const;

  /// True while WeChat says that the operator must act before there can be a token.
  [[nodiscard]] bool misconfigured() const { return misconfigured_; }

  [[nodiscard]] TokenStatistics statistics() const;

 private:
  void take(TokenAnswer answer);
  void hold(AccessToken token, SteadyTime fetched, SteadyTime expires);
  [[nodiscard]] Task<> keep(seconds lifetime);

  Ports ports_;
  std::string appid_;
  milliseconds answer_time_;
  Jitter jitter_;
  TokenSchedule schedule_;
  std::optional<HeldToken> held_;
  AccessToken refused_;  // the one dropped last
  SteadyTime fetched_at_{};
  SteadyTime expires_at_{};
  TokenStatistics counts_;  // without the times
  std::uint64_t generation_ = 0;
  bool fetching_ = false;
  bool misconfigured_ = false;
  bool stopping_ = false;
  Signal wake_run_;
  Signal fetch_ended_;
};

}  // namespace onetap::core
