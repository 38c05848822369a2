#pragma once

#include <string>

#include "core/app_account.hpp"
#include "core/crypto/keyring.hpp"
#include "core/gate/login_answer.hpp"
#include "core/gate/session_book.hpp"
#include "core/log.hpp"

namespace onetap::core {

/// What a page gets from a login.
struct OpenedSession {
  SessionToken token;
  SigningKey signing_key;
  seconds expires_in{};  // when unused
  CallerKey user{};      // whose it is
};

/// Opens sessions: a page's by its js_code, a backend's by the login that it made itself.
class LoginService {
 public:
  struct Ports {
    Clock& clock;
    WeChat& wechat;
    SessionStore& store;
    crypto::Keyring const& keyring;
    Log& log;
  };
  /// All outlive it.
  LoginService(Ports ports, AppAccount const& account, SessionBook& sessions);
  LoginService(Ports ports, AppAccount const&& account_must_outlive_it, SessionBook& sessions) = delete;

  /// At most limits::logins_in_flight_max at a time ask WeChat.
  [[nodiscard]] Task<Result<OpenedSession, Problem>> log_in(JsCode js_code, std::string request_id);
  /// The session is durable when it is answered.
  [[nodiscard]] Task<Result<OpenedSession, Problem>> open_session(Identity identity);

 private:
  [[nodiscard]] Task<WeChatReply> ask_wechat(JsCode js_code);

  Ports ports_;
  AppAccount const& account_;
  SessionBook& sessions_;
  std::size_t in_flight_ = 0;
};

}  // namespace onetap::core
