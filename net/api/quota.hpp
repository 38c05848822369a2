#pragma once

#include <boost/json/object.hpp>

#include "core/billing/quota.hpp"
#include "core/gate/gatekeeper.hpp"
#include "net/message.hpp"

namespace onetap::net {

[[nodiscard]] boost::json::object quota_json(std::string_view appid, core::Kind kind,
                                             std::optional<core::CallerKey> const& user,
                                             core::QuotaSource const& quota);

/// GET /phone/quota?kind=quick|realtime; a backend of several mini programs adds appid=
[[nodiscard]] core::Task<Response> get_quota(Request const& request, core::Caller const& caller,
                                             core::Gatekeeper const& gate, core::QuotaSource const& quota);

}  // namespace onetap::net
