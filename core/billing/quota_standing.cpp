#include "core/billing/quota_standing.hpp"

#include <algorithm>

namespace onetap::core {

// Figures younger than a push have the last word, older ones do not.
void QuotaStanding::observed(UsageSnapshot const& snapshot) {
  OfKind& of = of_kinds_[snapshot.kind];
  of.as_of = snapshot.as_of;
  of.units = snapshot.units();
  of.left = snapshot.units_left();
  of.is_used_up = snapshot.is_used_up();
  of.counted_since = 0;
  if (of.told_exhausted && *of.told_exhausted < snapshot.as_of) of.told_exhausted.reset();
}

void QuotaStanding::told(Kind kind, int percent_left, WallTime at) {
  OfKind& of = of_kinds_[kind];
  of.told_exhausted = percent_left <= 0 ? std::optional(at) : std::nullopt;
}

Quota QuotaStanding::quota(Kind kind) const {
  auto const found = of_kinds_.find(kind);
  if (found == of_kinds_.end()) return {};
  OfKind const& of = found->second;
  constexpr Quota exhausted{.unavailable = NoQuota::exhausted, .level = QuotaLevel::exhausted};
  if (of.told_exhausted) {
    Quota said = exhausted;
    said.as_of = of.told_exhausted;
    return said;
  }
  if (!of.as_of) return {};
  Quota said = of.is_used_up ? exhausted : Quota{.level = QuotaLevel::ok};
  if (!of.is_used_up && of.units > 0 && is_low(of)) said.level = QuotaLevel::low;
  said.as_of = of.as_of;
  return said;
}

bool QuotaStanding::is_low(OfKind const& of) const {
  constexpr double days_a_month = 30;
  auto const left = static_cast<double>(std::max<std::int64_t>(0, of.left - of.counted_since));
  double const a_day = static_cast<double>(of.units_a_month) / days_a_month;
  return left < low_.share * static_cast<double>(of.units) || left < low_.days * a_day;
}

}  // namespace onetap::core
