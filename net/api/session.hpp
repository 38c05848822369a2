#pragma once

#include <functional>
#include <string>

#include "core/billing/quota.hpp"
#include "core/gate/gatekeeper.hpp"
#include "core/gate/login.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// POST /session: a page's jsCode, or the login that a backend made itself, becomes a session.
class SessionApi {
 public:
  SessionApi(core::ByApp<core::LoginService> logins, core::Gatekeeper const& gate, core::Clock const& clock,
             core::QuotaSource quota);

  [[nodiscard]] core::Task<Response> open(Request const& request, core::Caller const& caller);

 private:
  [[nodiscard]] std::string body_of(core::OpenedSession const& opened, std::string_view appid) const;

  core::ByApp<core::LoginService> logins_;
  core::Gatekeeper const& gate_;
  core::Clock const& clock_;
  core::QuotaSource quota_;
};

}  // namespace onetap::net
