#include "core/push/push_event.hpp"

#include <algorithm>
#include <cmath>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

enum class AlarmType { quota, validity };

// WeChat's event_type; 1 is for those who buy for others (facts §2.5).
std::optional<AlarmType> alarm_type_of(PushMessage const& message) {
  constexpr std::int64_t quota_type = 3;
  constexpr std::int64_t validity_type = 4;
  if (message.type != "event" || !message.event.starts_with("charge_")) return std::nullopt;
  if (!message.event_type) {
    if (message.event.ends_with("_quota_notify")) return AlarmType::quota;
    if (message.event.ends_with("_validity_notify")) return AlarmType::validity;
    return std::nullopt;
  }
  if (*message.event_type == quota_type) return AlarmType::quota;
  return *message.event_type == validity_type ? std::optional(AlarmType::validity) : std::nullopt;
}

UnknownPush unknown(PushMessage const& message) {
  std::string_view const name = message.event.empty() ? message.type : message.event;
  return {.name = std::string(name.substr(0, limits::push_text_bytes_max))};
}

}  // namespace

int QuotaAlarm::percent_left() const {
  constexpr double percent = 100.0;
  double const share = percent * static_cast<double>(units_left) / static_cast<double>(units_total);
  return units_left <= 0 ? 0 : std::clamp(static_cast<int>(std::ceil(share)), 1, 100);
}

PushEvent judge_push(PushMessage const& message, std::string_view appid, SpuIds const& spu_ids,
                     WallTime now) {
  auto const type = alarm_type_of(message);
  auto const kind = spu_ids.kind_of(message.spu_id.value_or(0));
  bool const is_ours = message.appid.empty() || message.appid == appid;
  if (!type || !kind || !is_ours || !message.created) return unknown(message);
  WallTime const created = std::min(*message.created, now);
  if (*type == AlarmType::validity)
    return ValidityAlarm{.kind = *kind,
                         .created = created,
                         .end = message.validity_end.substr(0, limits::push_text_bytes_max)};
  std::int64_t const total = message.total_quota.value_or(0);
  std::int64_t const used = message.total_used_quota.value_or(-1);
  if (total <= 0 || used < 0) return unknown(message);
  return QuotaAlarm{.kind = *kind,
                    .created = created,
                    .units_total = total,
                    .units_left = std::max<std::int64_t>(total - used, 0)};
}

}  // namespace onetap::core
