#include "core/billing/told_quota.hpp"

#include <algorithm>

namespace onetap::core {

void ToldQuota::tell(std::string_view appid, QuotaAlarm const& alarm) {
  Entry& entry = entries_[{std::string(appid), alarm.kind}];
  bool const is_old = alarm.created <= entry.void_until || (entry.told && alarm.created < entry.told->at);
  if (!is_old) entry.told = Told{.percent_left = alarm.percent_left(), .at = alarm.created};
}

void ToldQuota::purchase_seen(std::string_view appid, Kind kind, WallTime at) {
  Entry& entry = entries_[{std::string(appid), kind}];
  entry.void_until = std::max(entry.void_until, at);
  if (entry.told && entry.told->at <= at) entry.told.reset();
}

std::optional<ToldQuota::Told> ToldQuota::last(std::string_view appid, Kind kind) const {
  auto const found = entries_.find({std::string(appid), kind});
  return found != entries_.end() ? found->second.told : std::nullopt;
}

std::optional<WallTime> ToldQuota::exhausted_at(std::string_view appid, Kind kind) const {
  auto const told = last(appid, kind);
  return told && told->percent_left == 0 ? std::optional(told->at) : std::nullopt;
}

}  // namespace onetap::core
