#include "core/billing/forecast.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace onetap::core {
namespace {

constexpr double ms_a_day = 86'400'000;
constexpr double horizon_days = 3650;  // beyond that a time says nothing

double days_between(WallTime from, WallTime to) {
  return static_cast<double>((to - from).count()) / ms_a_day;
}

WallTime after_days(WallTime from, double days) {
  return from + milliseconds(static_cast<std::int64_t>(days * ms_a_day));
}

/// A pack on its way; times in days from now.
struct Burning {
  PackForecast told;
  double left = 0;
  double starts = 0;
  std::optional<double> ends;

  [[nodiscard]] bool is_usable(double at) const { return starts <= at && left > 0 && (!ends || at < *ends); }
};

std::vector<Burning> in_burn_order(UsageSnapshot const& snapshot, WallTime now) {
  std::vector<Burning> packs;
  for (PackUsage const& pack : snapshot.packs) {
    std::int64_t const left = pack.all - pack.used;
    bool const is_over = pack.status == PackUsage::Status::over || (pack.ends && *pack.ends <= now);
    bool const never_begins = pack.status == PackUsage::Status::not_yet && !pack.starts;
    if (left <= 0 || is_over || never_begins) continue;
    bool const is_in_force = pack.status == PackUsage::Status::in_force;
    Burning burning{
        .told = {.pkg_id = pack.pkg_id, .is_in_force = is_in_force, .units_left = left, .ends = pack.ends},
        .left = static_cast<double>(left)};
    if (!is_in_force) burning.starts = std::max(0.0, days_between(now, *pack.starts));
    if (pack.ends) burning.ends = days_between(now, *pack.ends);
    packs.push_back(std::move(burning));
  }
  std::ranges::sort(packs, {}, [](Burning const& pack) {
    return std::tuple(!pack.told.pkg_id.empty(), pack.told.ends.value_or(WallTime::max()), pack.told.pkg_id);
  });
  return packs;
}

/// From `at` to when the pack in use, or the set of usable packs, changes.
double next_change(std::vector<Burning> const& packs, Burning const& burning, double at, double a_day) {
  double next = at + burning.left / a_day;
  if (burning.ends) next = std::min(next, *burning.ends);
  for (Burning const& other : packs) {
    if (other.starts > at) next = std::min(next, other.starts);
  }
  return next;
}

/// When no pack is usable for the first time; none within the horizon.
std::optional<double> burn(std::vector<Burning>& packs, double a_day, WallTime now) {
  constexpr double nothing = 1e-9;
  std::optional<double> empty;
  double at = 0;
  while (at < horizon_days) {
    auto const burning =
        std::ranges::find_if(packs, [at](Burning const& pack) { return pack.is_usable(at); });
    if (burning == packs.end()) {
      if (!empty) empty = at;
      double next = horizon_days;
      for (Burning const& pack : packs) {
        if (pack.starts > at) next = std::min(next, pack.starts);
      }
      at = next;
      continue;
    }
    double const next = next_change(packs, *burning, at, a_day);
    burning->left -= (next - at) * a_day;
    if (burning->left < nothing) {
      burning->left = 0;
      burning->told.used_up = after_days(now, next);
    }
    at = next;
  }
  return empty;
}

}  // namespace

double SpendingRates::a_day() const { return std::max(ours_a_day.value_or(0), wechat_a_day.value_or(0)); }

int Forecast::percent_left() const {
  if (units <= 0 || units_left <= 0) return 0;
  constexpr std::int64_t whole = 100;
  return static_cast<int>(std::min(whole, (units_left * whole + units - 1) / units));
}

Forecast forecast(UsageSnapshot const& snapshot, SpendingRates const& rates, WallTime now) {
  Forecast told{.owner = {.appid = snapshot.appid, .kind = snapshot.kind},
                .as_of = snapshot.as_of,
                .is_metered = !snapshot.packs.empty(),
                .units = snapshot.units(),
                .units_left = snapshot.units_left(),
                .is_used_up = snapshot.is_used_up(),
                .rates = rates};
  for (PackUsage const& pack : snapshot.packs) told.units_given += pack.all;
  std::vector<Burning> packs = in_burn_order(snapshot, now);
  double const a_day = rates.a_day();
  if (a_day > 0 && told.is_metered) told.days_left = burn(packs, a_day, now);
  for (Burning& pack : packs) {
    if (pack.ends) pack.told.units_unused = static_cast<std::int64_t>(std::floor(pack.left + 1e-6));
    told.units_unused += pack.told.units_unused;
    told.packs.push_back(std::move(pack.told));
  }
  return told;
}

}  // namespace onetap::core
