#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "core/exchange/service.hpp"
#include "core/gate/login.hpp"
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
    core::WeChat& wechat;
    core::ClockSkew const& skew;
    core::crypto::Keyring const& keyring;
    core::SessionBook& sessions;
    core::Log& log;
  };
  using TokenSourceFor = std::function<std::unique_ptr<core::TokenSource>(core::AppAccount const&)>;

  MiniProgram(Shared shared, core::AppAccount account, TokenSourceFor const& source_for,
              core::milliseconds wechat_answer_time, core::TokenKeeper::Jitter jitter);

  [[nodiscard]] std::string_view appid() const { return account_.appid; }
  /// The secret that the operator has put in the old one's place.
  void use(core::AppSecret secret);
  /// A token that an earlier run kept.
  void restore(core::StoredToken const& token);

  [[nodiscard]] core::TokenKeeper& tokens() { return tokens_; }
  [[nodiscard]] core::CallControl& calls() { return calls_; }
  [[nodiscard]] core::ConsumeService& consuming() { return consuming_; }
  [[nodiscard]] core::LoginService& logins() { return logins_; }

  /// Why an exchange would fail now, in words for the operator; empty when it would not.
  [[nodiscard]] std::string_view unreadiness();

 private:
  core::AppAccount account_;
  std::unique_ptr<core::TokenSource> token_source_;
  core::TokenKeeper tokens_;
  core::CallControl calls_;
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
