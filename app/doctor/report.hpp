#pragma once

#include <span>
#include <string>

#include "app/console.hpp"
#include "app/doctor/finding.hpp"

namespace onetap::app {

/// For people: a line for each finding, wrapped at 100 columns, what to do below it, and a summary.
[[nodiscard]] std::string render_findings(std::span<Finding const> findings, Painter const& paint);

/// [{"check", "app"?, "status", "what", "advice"}, …]
[[nodiscard]] std::string findings_as_json(std::span<Finding const> findings);

/// 0 where all is well or was left out, 1 with warnings, 2 with failures.
[[nodiscard]] int exit_status_of(std::span<Finding const> findings);

}  // namespace onetap::app
