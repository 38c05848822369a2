#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>

#include "core/alarm/alarm.hpp"

namespace onetap::core {

/// As GET /api/alarms and the webhook have it.
[[nodiscard]] json::object alarm_json(Alarm const& alarm);

/// The webhook's body: {"event":"raised"|"ended", "id", "alarm", …}.
[[nodiscard]] std::string webhook_body(AlarmNews const& news);

/// A WeCom group robot's: one markdown message of all of them, cut to limits::wecom_text_bytes_max with how
/// many were left out.
[[nodiscard]] std::string wecom_body(std::span<AlarmNews const> news);

/// "t=1790000000,v1=<hex>": HMAC-SHA256 with `secret` over "1790000000.<body>".
[[nodiscard]] std::string webhook_signature(std::string_view secret, WallTime at, std::string_view body);

}  // namespace onetap::core
