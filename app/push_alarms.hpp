#pragma once

#include <string_view>

#include "core/billing/told_quota.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// What WeChat's alarms lead to: a line for the operator, and what pages are told of the quota.
class PushAlarms {
 public:
  /// `told` and `log` outlive it.
  PushAlarms(core::ToldQuota& told, core::Log const& log) : told_(told), log_(log) {}

  void on_push(std::string_view appid, core::PushEvent const& event);

 private:
  core::ToldQuota& told_;
  core::Log const& log_;
};

}  // namespace onetap::app
