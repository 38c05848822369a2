#pragma once

#include <string>

#include "core/secret.hpp"

namespace onetap::net {

/// What the receiver understands.
enum class AlertFormat {
  json,   // one alarm a request (core/alarm/alarm_message, webhook_body), signed where there is a secret
  wecom,  // a WeCom group robot's markdown; several alarms a message, 20 messages a minute at most
};

/// Who is told of alarms (ONETAP_ALERT_URL).
struct AlertTarget {
  bool tls = true;   // false: to loopback only
  std::string host;  // IPv6 without brackets
  unsigned short port = 443;
  core::AlertPath path;  // and query; begins with "/"
  AlertFormat format = AlertFormat::json;
  core::AlertSecret secret{};  // empty: not signed
};

}  // namespace onetap::net
