#pragma once

#include <boost/json/object.hpp>

#include "core/billing/quota.hpp"
#include "core/crypto/keyring.hpp"
#include "core/gate/gatekeeper.hpp"
#include "net/message.hpp"

namespace onetap::net {

[[nodiscard]] boost::json::object quota_json(std::string_view appid, core::Kind kind,
                                             std::optional<core::CallerKey> const& user,
                                             core::QuotaSource const& quota);

/// What GET /phone/quota is answered from; outlives the answer.
struct QuotaServices {
  core::Gatekeeper const& gate;
  core::crypto::Keyring const& keyring;
  core::QuotaSource const& quota;
};

/// GET /phone/quota?kind=quick|realtime; a backend names its user by openid= and, of several mini programs,
/// the one that it speaks for by appid=
[[nodiscard]] core::Task<Response> get_quota(Request const& request, core::Caller const& caller,
                                             QuotaServices services);

}  // namespace onetap::net
