#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/problem.hpp"
#include "core/exchange/wechat.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// Who logged in.
struct Identity {
  OpenId openid;
  SessionKey session_key;
};

/// Why nobody did: what the page hears, and one line for the operator.
struct LoginFailure {
  Problem problem;
  std::string hint;
};

/// jscode2session's reply (facts/wechat-api.md §4.1).
[[nodiscard]] Result<Identity, LoginFailure> judge_login_answer(WeChatReply const& reply);

/// One of the keys that a user's WeChat holds as well (facts §6.2).
struct UserKey {
  std::int64_t version = 0;
  Confidential<struct UserKeyTag> key;  // 16 bytes
  seconds expires_in{};
};

/// Why there are none, with what the operator should know of it.
struct UserKeysFailure {
  enum class Why {
    log_in_again,   // 87009: the session_key is not the latest
    token_refused,  // the access_token is
    rate_limited,   // WeChat wants to be asked less
    misconfigured,  // the operator must act
    not_to_be_had,  // anything else
  };
  Why why = Why::not_to_be_had;
  std::optional<int> errcode{};  // when WeChat sent one
  std::string rid{};
  std::string hint{};
};

/// getuserencryptkey's reply: up to three keys.
[[nodiscard]] Result<std::vector<UserKey>, UserKeysFailure> judge_user_keys_answer(WeChatReply const& reply);

}  // namespace onetap::core
