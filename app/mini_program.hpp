#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "app/metrics/server_state.hpp"
#include "core/alarm/alarm_book.hpp"
#include "core/billing/daily_caps.hpp"
#include "core/billing/forecast.hpp"
#include "core/billing/spending.hpp"
#include "core/billing/usage_watch.hpp"
#include "core/exchange/service.hpp"
#include "core/gate/login.hpp"
#include "core/push/push_event.hpp"
#include "core/repetition.hpp"
#include "core/token/keeper.hpp"

namespace onetap::app {

/// One mini program that is served: its account, and whoever acts in its name. Its outage, limits and
/// misconfiguration are its own.
class MiniProgram {
 public:
  /// What all mini programs share; all of it outlives them.
  struct Shared {
    core::Clock& clock;
    core::Ledger& ledger;
    core::SessionStore& session_store;
    core::TokenStore& token_store;
    core::UsageStore& usage_store;
    core::WeChat& wechat;
    core::ChargeApi& charges;
    core::ClockSkew const& skew;
    core::crypto::Keyring const& keyring;
    core::SessionBook& sessions;
    core::Log& log;
    /// Of WeChat's figures, and something that happened: operators may have to be told.
    std::function<void()> figures_changed = [] {};
    std::function<void(core::AlarmSubject, core::json::object)> happened = [](core::AlarmSubject const&,
                                                                              core::json::object const&) {};
  };
  /// What is its own.
  struct Own {
    core::AppAccount account;
    core::SpuIds spu_ids;
    core::milliseconds wechat_answer_time;
    core::seconds usage_poll;
    core::QuotaLow quota_low;
    core::DailyLimits daily_limits;
    core::ExchangeObserver* observer = nullptr;  // outlives it; null: nobody counts
  };
  using TokenSourceFor = std::function<std::unique_ptr<core::TokenSource>(core::AppAccount const&)>;

  MiniProgram(Shared shared, Own own, TokenSourceFor const& source_for, core::TokenKeeper::Jitter jitter);

  [[nodiscard]] std::string_view appid() const { return account_.appid; }
  /// The secret that the operator has put in the old one's place.
  void use(core::AppSecret secret);
  /// A token that an earlier run kept.
  void restore(core::StoredToken const& token);
  /// WeChat's last figures of an earlier run: what pages are told until it is asked anew.
  void restore(core::LastUsage const& usage) { standing_.restore(usage, clock_.wall()); }

  [[nodiscard]] core::TokenKeeper& tokens() { return tokens_; }
  [[nodiscard]] core::CallControl& calls() { return calls_; }
  [[nodiscard]] core::ConsumeService& consuming() { return consuming_; }
  [[nodiscard]] core::LoginService& logins() { return logins_; }
  /// What a page is told before the tap, of this user where there is one; whether an exchange would fail
  /// anyway is unreadiness()'s to say.
  [[nodiscard]] core::Quota quota(core::Kind kind, std::optional<core::CallerKey> const& user) const;
  /// Codes of today, of an earlier run.
  void count(core::CodesOfUser const& codes);
  [[nodiscard]] core::UsageWatch& usage() { return usage_; }

  /// None until WeChat's figures are known.
  [[nodiscard]] std::optional<core::Forecast> forecast(core::Kind kind, core::Spending const& spending) const;
  /// Adds what operators should know of it now; null: nobody can tell yet how fast units go.
  void observe(core::Spending const* spending, core::AlarmObservation& observed);

  /// WeChat has pushed: a line for the operator, and pages hear of it. WeChat is asked for its figures soon.
  void hear(core::PushEvent const& event);

  /// Why an exchange would fail now, in words for the operator; empty when it would not.
  [[nodiscard]] std::string_view unreadiness();

  /// For GET /metrics.
  [[nodiscard]] MiniProgramState state();

 private:
  void observe_quota(core::Kind kind, core::Spending const& spending, core::AlarmObservation& observed) const;

  core::Log const& log_;
  std::map<std::pair<core::Kind, int>, core::Repetition> quota_lines_;  // by percent: 0 to 100
  core::AppAccount account_;
  std::unique_ptr<core::TokenSource> token_source_;
  core::TokenKeeper tokens_;
  core::CallControl calls_;
  core::Clock& clock_;
  std::function<void()> figures_changed_;
  core::QuotaStanding standing_;
  core::DailyCaps caps_;
  core::UsageWatch usage_;
  core::ConsumeService consuming_;
  core::LoginService logins_;
};

/// All that are served.
class MiniPrograms {
 public:
  void add(std::unique_ptr<MiniProgram> mini_program) { all_.push_back(std::move(mini_program)); }

  /// The gate lets only served ones in: std::logic_error for another.
  [[nodiscard]] MiniProgram& of(std::string_view appid) const;
  [[nodiscard]] std::vector<std::unique_ptr<MiniProgram>> const& all() const { return all_; }
  [[nodiscard]] std::vector<std::string> appids() const;

 private:
  std::vector<std::unique_ptr<MiniProgram>> all_;
};

}  // namespace onetap::app
