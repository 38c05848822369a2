#pragma once

#include <boost/json/object.hpp>

#include "core/billing/quota.hpp"
#include "core/gate/gatekeeper.hpp"
#include "net/message.hpp"

namespace onetap::net {

[[nodiscard]] boost::json::object quota_json(core::Kind kind, core::QuotaSource const& quota);

/// GET /phone/quota?kind=quick|realtime
[[nodiscard]] core::Task<Response> get_quota(Request const& request, core::QuotaSource const& quota);

}  // namespace onetap::net
