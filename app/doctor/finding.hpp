#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onetap::app {

/// In the order of severity, but for `skipped`: nothing was looked at.
enum class FindingStatus { ok, warning, failed, skipped };

[[nodiscard]] constexpr std::string_view to_string(FindingStatus status) {
  switch (status) {
    case FindingStatus::ok: return "ok";
    case FindingStatus::warning: return "warning";
    case FindingStatus::failed: return "failed";
    case FindingStatus::skipped: break;
  }
  return "skipped";
}

/// What one check of `onetap doctor` has found; nothing secret.
struct Finding {
  std::string check;  // its name, for programs too: "data-key"
  std::string app;    // the appid it is about; empty: no mini program in particular
  FindingStatus status = FindingStatus::ok;
  std::string what;
  std::string advice;  // what to do, a sentence without its full stop; empty when nothing is
};

using Findings = std::vector<Finding>;

[[nodiscard]] inline Finding found_well(std::string_view check, std::string what) {
  return {.check = std::string(check), .app = {}, .what = std::move(what), .advice = {}};
}

[[nodiscard]] inline Finding found_odd(std::string_view check, std::string what, std::string advice) {
  return {.check = std::string(check),
          .app = {},
          .status = FindingStatus::warning,
          .what = std::move(what),
          .advice = std::move(advice)};
}

[[nodiscard]] inline Finding found_wrong(std::string_view check, std::string what, std::string advice) {
  return {.check = std::string(check),
          .app = {},
          .status = FindingStatus::failed,
          .what = std::move(what),
          .advice = std::move(advice)};
}

[[nodiscard]] inline Finding left_out(std::string_view check, std::string why) {
  return {.check = std::string(check),
          .app = {},
          .status = FindingStatus::skipped,
          .what = std::move(why),
          .advice = {}};
}

}  // namespace onetap::app
