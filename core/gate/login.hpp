#pragma once

#include <string>

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
  struct Credentials {
    std::string appid;
    AppSecret secret;
  };

  LoginService(Ports ports, Credentials credentials, SessionBook& sessions);

  [[nodiscard]] Task<Result<OpenedSession, Problem>> log_in(JsCode js_code, std::string request_id);
  /// The session is durable when it is answered.
  [[nodiscard]] Task<Result<OpenedSession, Problem>> open_session(Identity identity);

 private:
  Ports ports_;
  Credentials credentials_;
  SessionBook& sessions_;
};

}  // namespace onetap::core
