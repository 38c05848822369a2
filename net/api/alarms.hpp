#pragma once

#include <functional>
#include <vector>

#include "core/alarm/alarm_desk.hpp"
#include "core/billing/address_top.hpp"
#include "core/billing/forecast.hpp"
#include "core/billing/top_users.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// What operators ask of forecast and alarms: reads only.
class AlarmsApi {
 public:
  /// All of it outlives the API.
  struct Sources {
    core::Clock const& clock;
    core::AlarmDesk const& desk;
    core::AddressTop const& addresses;
    std::function<std::vector<core::Forecast>()> forecasts;
    core::ReadTopUsers read_top_users;
  };

  explicit AlarmsApi(Sources sources) : sources_(std::move(sources)) {}

  /// GET /api/forecast {"forecasts":[{"appid","kind","asOf","metered","units","unitsLeft","percentLeft",
  /// "unitsADay":{"ours","wechat"},"daysLeft","unitsUnused","packs":[…]}]}; null is unknown or never
  [[nodiscard]] core::Task<Response> forecast(Request const& request) const;
  /// GET /api/alarms {"active":[…],"last":[…]}, the newest last
  [[nodiscard]] core::Task<Response> alarms(Request const& request) const;
  /// GET /api/top?hours=24 {"hours","users":[{"appid","user","codes"}],"addresses":[{"address","codes",
  /// "tooHigh"}]}; 1 to 24 hours, digests only
  [[nodiscard]] core::Task<Response> top(Request const& request) const;

 private:
  Sources sources_;
};

}  // namespace onetap::net
