#pragma once

#include "core/app_account.hpp"
#include "core/exchange/answer.hpp"
#include "core/exchange/wechat.hpp"

namespace onetap::core {

/// Port: where access_tokens come from (ONETAP_TOKEN_MODE).
class TokenSource {
 public:
  TokenSource() = default;
  TokenSource(TokenSource const&) = delete;
  TokenSource& operator=(TokenSource const&) = delete;
  virtual ~TokenSource() = default;

  /// A token, or why there is none; by `deadline`.
  [[nodiscard]] virtual Task<TokenAnswer> fetch(SteadyTime deadline) = 0;

  /// False where somebody else keeps the token: then it is not for us to store.
  [[nodiscard]] virtual bool is_ours() const { return true; }
};

/// WeChat's own endpoints. Never forces a refresh (facts/wechat-api.md §3.1).
class WeChatTokens final : public TokenSource {
 public:
  /// All outlive it.
  WeChatTokens(WeChat& wechat, AppAccount const& account, TokenEndpoint endpoint)
      : wechat_(wechat), account_(account), endpoint_(endpoint) {}

  [[nodiscard]] Task<TokenAnswer> fetch(SteadyTime deadline) override;

 private:
  WeChat& wechat_;
  AppAccount const& account_;
  TokenEndpoint endpoint_;
};

}  // namespace onetap::core
