#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/billing/spu_ids.hpp"
#include "core/clock.hpp"
#include "core/push/push_message.hpp"

namespace onetap::core {

/// WeChat says how much is left of what was bought: at 20, 10, 5 and 0 % (facts/wechat-api.md §2.5).
struct QuotaAlarm {
  Kind kind = Kind::quick;
  WallTime created;
  std::int64_t units_total = 0;
  std::int64_t units_left = 0;

  /// Rounded up: 0 only when nothing is left.
  [[nodiscard]] int percent_left() const;
};

/// WeChat says that a pack ends soon (15, 7, 3 and 1 days ahead) or has ended.
struct ValidityAlarm {
  Kind kind = Kind::quick;
  WallTime created;
  std::string end;  // as WeChat wrote it; at most limits::push_text_bytes_max
};

/// Of no concern to us, or without what would make it one.
struct UnknownPush {
  std::string name;  // of the event, or the type of message; at most limits::push_text_bytes_max
};

using PushEvent = std::variant<QuotaAlarm, ValidityAlarm, UnknownPush>;

/// Hears of each alarm once, in the name of a mini program that is served.
using PushListener = std::function<void(std::string_view appid, PushEvent const& event)>;

/// What a message for this mini program says. The alarms are known by event_type (3 and 4) where it is told,
/// since documents and reality differ in their names: charge_mp_service_quota_notify,
/// charge_service_quota_notify. None was created after `now`: a clock of WeChat's ahead of ours must not
/// outlast what it says next.
[[nodiscard]] PushEvent judge_push(PushMessage const& message, std::string_view appid, SpuIds const& spu_ids,
                                   WallTime now);

}  // namespace onetap::core
