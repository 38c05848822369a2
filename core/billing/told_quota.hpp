#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/push/push_event.hpp"

namespace onetap::core {

/// What WeChat's alarms say is left, by mini program and kind, until a purchase is seen. In memory only:
/// after a restart WeChat is asked.
class ToldQuota {
 public:
  struct Told {
    int percent_left = 0;
    WallTime at;
  };

  /// One that is older than the last one, or than a purchase that has been seen, says nothing any more.
  void tell(std::string_view appid, QuotaAlarm const& alarm);

  /// Units were bought, or WeChat's figures of that time show some: alarms up to then are void.
  void purchase_seen(std::string_view appid, Kind kind, WallTime at);

  [[nodiscard]] std::optional<Told> last(std::string_view appid, Kind kind) const;

  /// When WeChat said that nothing is left; none: it has not, or more is left by now.
  [[nodiscard]] std::optional<WallTime> exhausted_at(std::string_view appid, Kind kind) const;

 private:
  struct Entry {
    std::optional<Told> told;
    WallTime void_until = WallTime::min();
  };

  std::map<std::pair<std::string, Kind>, Entry> entries_;  // of the mini programs that are served: few
};

}  // namespace onetap::core
