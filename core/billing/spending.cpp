#include "core/billing/spending.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::int64_t hours_a_day = 24;
constexpr std::int64_t hours_kept = limits::spending_days * hours_a_day;

}  // namespace

std::int64_t hour_of(WallTime time) {
  return std::chrono::floor<std::chrono::hours>(time).time_since_epoch().count();
}

void Spending::add(UnitsOfHour const& units) {
  Booked& booked = of_owners_[units.owner][units.hour];
  booked.units += units.units;
  booked.beyond_packs += units.beyond_packs;
}

void Spending::forget_old(WallTime now) {
  for (auto& [owner, hours] : of_owners_)
    hours.erase(hours.begin(), hours.lower_bound(hour_of(now) - hours_kept));
}

std::optional<double> Spending::units_a_day(QuotaOwner const& owner, WallTime now) const {
  auto const found = of_owners_.find(owner);
  if (found == of_owners_.end()) return std::nullopt;
  auto const first = found->second.lower_bound(hour_of(now) - hours_kept);
  if (first == found->second.end()) return std::nullopt;
  std::int64_t units = 0;
  for (auto each = first; each != found->second.end(); ++each) units += each->second.units;
  constexpr double ms_a_day = 86'400'000;
  WallTime const since(std::chrono::hours(first->first));
  double const days = static_cast<double>((now - since).count()) / ms_a_day;
  return static_cast<double>(units) / std::clamp<double>(days, 1, limits::spending_days);
}

std::optional<Spike> Spending::spike(QuotaOwner const& owner, WallTime now) const {
  auto const found = of_owners_.find(owner);
  if (found == of_owners_.end()) return std::nullopt;
  Hours const& hours = found->second;
  std::int64_t const this_hour = hour_of(now);
  auto const first = hours.lower_bound(this_hour - hours_kept);
  if (first == hours.end()) return std::nullopt;
  std::int64_t const known = this_hour - first->first;
  if (known < limits::spike_hours_known_min) return std::nullopt;
  std::vector<std::int64_t> earlier(static_cast<std::size_t>(known), 0);
  for (auto each = first; each != hours.end() && each->first < this_hour; ++each)
    earlier[static_cast<std::size_t>(each->first - first->first)] = each->second.units;
  std::ranges::sort(earlier);
  constexpr std::size_t busy_share = 20;  // one hour in so many is busier than usual
  Spike const spike{.units = units_this_hour(owner, now),
                    .usual = earlier[earlier.size() - 1 - earlier.size() / busy_share]};
  bool const is_far_above =
      static_cast<double>(spike.units) > limits::spike_factor * static_cast<double>(spike.usual);
  return spike.units >= limits::spike_units_min && is_far_above ? std::optional(spike) : std::nullopt;
}

std::int64_t Spending::units_this_hour(QuotaOwner const& owner, WallTime now) const {
  auto const found = of_owners_.find(owner);
  if (found == of_owners_.end()) return 0;
  auto const hour = found->second.find(hour_of(now));
  return hour == found->second.end() ? 0 : hour->second.units;
}

std::int64_t Spending::beyond_packs_of_late(QuotaOwner const& owner, WallTime now) const {
  auto const found = of_owners_.find(owner);
  if (found == of_owners_.end()) return 0;
  std::int64_t units = 0;
  for (auto each = found->second.lower_bound(hour_of(now) - 1); each != found->second.end(); ++each)
    units += each->second.beyond_packs;
  return units;
}

}  // namespace onetap::core
