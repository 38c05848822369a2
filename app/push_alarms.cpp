#include "app/push_alarms.hpp"

#include <array>
#include <variant>

namespace onetap::app {

void PushAlarms::on_push(std::string_view appid, core::PushEvent const& event) {
  if (auto const* quota = std::get_if<core::QuotaAlarm>(&event)) {
    told_.tell(appid, *quota);
    bool const is_exhausted = quota->percent_left() == 0;
    std::array const fields{core::Field("app", appid), core::Field("kind", core::to_string(quota->kind)),
                            core::Field("percent_left", quota->percent_left()),
                            core::Field("units_left", quota->units_left),
                            core::Field("units_total", quota->units_total)};
    log_.write(is_exhausted ? core::LogLevel::error : core::LogLevel::warn,
               is_exhausted ? "quota_exhausted" : "quota_low", fields);
  } else if (auto const* validity = std::get_if<core::ValidityAlarm>(&event)) {
    log_.warn("pack_ends",
              {{"app", appid}, {"kind", core::to_string(validity->kind)}, {"end", validity->end}});
  }
}

}  // namespace onetap::app
