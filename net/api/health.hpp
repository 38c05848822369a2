#pragma once

#include <functional>
#include <string>
#include <vector>

#include "net/message.hpp"

namespace onetap::net {

/// Why the server can't do its work now; empty when it can.
using Unreadiness = std::function<std::vector<std::string>()>;

/// Everything that is measured, in Prometheus's text format.
using MetricsText = std::function<core::Task<std::string>()>;

/// GET /healthz: the process lives.
[[nodiscard]] core::Task<Response> healthz(Request const& request);

/// GET /readyz: 200, or 503 with the reasons.
[[nodiscard]] core::Task<Response> readyz(Request const& request, Unreadiness const& unreadiness);

/// GET /metrics
[[nodiscard]] core::Task<Response> metrics(Request const& request, MetricsText const& text);

}  // namespace onetap::net
