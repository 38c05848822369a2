#include "core/billing/quota_standing.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr double days_a_month = 30;

}  // namespace

void QuotaStanding::observed(UsageSnapshot const& snapshot) {
  OfKind& of = of_kinds_[snapshot.kind];
  of.as_of = snapshot.as_of;
  of.snapshot = snapshot;
  of.units = snapshot.units();
  of.left = snapshot.units_left();
  of.is_used_up = snapshot.is_used_up();
  of.counted_since = 0;
  of.packs.clear();
  bool is_any_new = false;
  for (PackUsage const& pack : snapshot.packs) {
    if (pack.status != PackUsage::Status::in_force) continue;
    of.packs.insert(pack.pkg_id);
    bool const is_new = of.packs_when_told && !of.packs_when_told->contains(pack.pkg_id);
    is_any_new = is_any_new || (is_new && pack.used < pack.all);
  }
  if (is_any_new && of.told_at && snapshot.as_of > *of.told_at) of.told_percent.reset();
  if (!of.told_exhausted || snapshot.as_of <= *of.told_at) return;
  if (!of.packs_when_told) of.packs_when_told = of.packs;
  bool const is_far = of.was_far_when_told && is_far_from_nothing(of);
  bool const has_caught_up = snapshot.as_of >= *of.told_at + limits::usage_lag_max;
  if (is_any_new || is_far || has_caught_up) {
    of.told_exhausted = false;
    of.told_percent.reset();
  }
}

void QuotaStanding::told(Kind kind, int percent_left, WallTime at) {
  OfKind& of = of_kinds_[kind];
  if (of.told_at && at <= *of.told_at) return;
  of.told_at = at;
  of.told_percent = percent_left;
  bool const is_old = of.as_of && at + limits::usage_lag_max <= *of.as_of;
  of.told_exhausted = percent_left <= 0 && !is_old;
  of.packs_when_told = of.as_of ? std::optional(of.packs) : std::nullopt;
  of.was_far_when_told = !of.as_of || is_far_from_nothing(of);
}

void QuotaStanding::restore(LastUsage const& last, WallTime now) {
  constexpr auto told_life = std::chrono::hours(24);
  if (last.snapshot) observed(*last.snapshot);
  if (!last.told || now - last.told->at > told_life) return;
  told(last.kind, last.told->percent_left, last.told->at);
  of_kinds_[last.kind].was_far_when_told = false;  // what was counted before it is not known any more
}

Quota QuotaStanding::quota(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  if (found == of_kinds_.end()) return {};
  OfKind const& of = found->second;
  constexpr Quota exhausted{.unavailable = NoQuota::exhausted, .level = QuotaLevel::exhausted};
  if (of.told_exhausted) {
    Quota said = exhausted;
    said.as_of = of.told_at;
    return said;
  }
  if (!of.as_of) return {};
  Quota said = of.is_used_up ? exhausted : Quota{.level = QuotaLevel::ok};
  if (!of.is_used_up && of.units > 0 && is_low(of)) said.level = QuotaLevel::low;
  said.as_of = of.as_of;
  return said;
}

std::optional<QuotaFigures> QuotaStanding::figures(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  if (found == of_kinds_.end() || !found->second.as_of) return std::nullopt;
  OfKind const& of = found->second;
  QuotaFigures figures{.as_of = *of.as_of, .units = of.units, .left = left_of(of)};
  if (of.units > 0 && of.units_a_month > 0)
    figures.days_left = static_cast<double>(figures.left) / units_a_day(of);
  return figures;
}

std::int64_t QuotaStanding::left_of(OfKind const& of) {
  return std::max<std::int64_t>(0, of.left - of.counted_since);
}

// By WeChat's list and by our own count: whoever has seen an unencrypted push can make one up.
bool QuotaStanding::is_far_from_nothing(OfKind const& of) {
  constexpr std::int64_t tenth = 10;
  return left_of(of) > of.units / tenth;
}

UsageSnapshot const* QuotaStanding::snapshot(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  return found != of_kinds_.end() && found->second.snapshot ? &*found->second.snapshot : nullptr;
}

std::optional<double> QuotaStanding::wechat_a_day(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  if (found == of_kinds_.end() || found->second.units_a_month == 0) return std::nullopt;
  return units_a_day(found->second);
}

std::optional<ToldPercent> QuotaStanding::told_percent(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  if (found == of_kinds_.end() || !found->second.told_percent) return std::nullopt;
  return ToldPercent{.percent_left = *found->second.told_percent, .at = found->second.told_at.value()};
}

double QuotaStanding::units_a_day(OfKind const& of) {
  return static_cast<double>(of.units_a_month) / days_a_month;
}

bool QuotaStanding::is_low(OfKind const& of) const {
  auto const left = static_cast<double>(left_of(of));
  return left < low_.share * static_cast<double>(of.units) || left < low_.days * units_a_day(of);
}

}  // namespace onetap::core
