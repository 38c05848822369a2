#include "core/alarm/quota_conditions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

// WeChat's own, for its pushes (facts/wechat-api.md §2.5); the worst first.
constexpr std::array percent_steps{0, 5, 10, 20};
constexpr std::array day_steps{1, 3, 7, 15};

template <class Steps>
std::optional<int> step_of(Steps const& steps, double value) {
  auto const found = std::ranges::find_if(steps, [value](int step) { return value <= step; });
  return found == steps.end() ? std::nullopt : std::optional(*found);
}

double one_decimal(double number) {
  constexpr double tenth = 10;
  return std::round(number * tenth) / tenth;
}

AlarmSubject subject_of(AlarmName name, QuotaOwner const& owner, std::string what = {}) {
  return {.name = name,
          .appid = owner.appid,
          .kind = std::string(to_string(owner.kind)),
          .what = std::move(what)};
}

std::optional<AlarmCondition> little_left(Forecast const& forecast, std::optional<ToldPercent> const& told,
                                          WallTime now) {
  if (!forecast.is_metered) return std::nullopt;
  bool const has_some = forecast.units > 0;
  int percent = has_some ? forecast.percent_left() : 100;
  if (forecast.is_used_up) percent = 0;
  bool const is_fresh =
      told && now - told->at < limits::usage_lag_max && told->at >= forecast.as_of - limits::usage_lag_max;
  if (is_fresh) percent = std::min(percent, told->percent_left);
  auto const step = step_of(percent_steps, percent);
  if (!step) return std::nullopt;
  json::object facts{{"percentLeft", percent},
                     {"unitsLeft", forecast.units_left},
                     {"units", forecast.units},
                     {"asOf", unix_seconds(forecast.as_of)}};
  if (forecast.days_left) facts["daysLeft"] = one_decimal(*forecast.days_left);
  return AlarmCondition{
      .subject = subject_of(AlarmName::quota_low, forecast.owner), .step = *step, .facts = std::move(facts)};
}

std::optional<AlarmCondition> few_days_left(Forecast const& forecast) {
  if (!forecast.days_left || forecast.is_used_up) return std::nullopt;
  auto const step = step_of(day_steps, *forecast.days_left);
  if (!step) return std::nullopt;
  return AlarmCondition{.subject = subject_of(AlarmName::days_left_low, forecast.owner),
                        .step = *step,
                        .facts = {{"daysLeft", one_decimal(*forecast.days_left)},
                                  {"unitsLeft", forecast.units_left},
                                  {"unitsADay", one_decimal(forecast.rates.a_day())}}};
}

// A few units that are left over are no loss worth a message.
bool is_worth_telling(PackForecast const& pack) {
  constexpr std::int64_t share = 100;
  return pack.units_unused > 0 && pack.units_unused * share >= pack.units_left;
}

std::optional<AlarmCondition> unused_units(Forecast const& forecast, PackForecast const& pack, WallTime now) {
  if (!pack.is_in_force || !pack.ends || !is_worth_telling(pack)) return std::nullopt;
  constexpr double ms_a_day = 86'400'000;
  auto const step = step_of(day_steps, static_cast<double>((*pack.ends - now).count()) / ms_a_day);
  if (!step) return std::nullopt;
  return AlarmCondition{.subject = subject_of(AlarmName::pack_expires, forecast.owner, pack.pkg_id),
                        .step = *step,
                        .facts = {{"pkgId", pack.pkg_id},
                                  {"endsAt", unix_seconds(*pack.ends)},
                                  {"unitsLeft", pack.units_left},
                                  {"unitsUnused", pack.units_unused}}};
}

}  // namespace

std::vector<AlarmCondition> quota_conditions(Forecast const& forecast, std::optional<ToldPercent> const& told,
                                             WallTime now) {
  std::vector<AlarmCondition> conditions;
  auto const add = [&](std::optional<AlarmCondition> condition) {
    if (condition) conditions.push_back(std::move(*condition));
  };
  add(little_left(forecast, told, now));
  add(few_days_left(forecast));
  for (PackForecast const& pack : forecast.packs) add(unused_units(forecast, pack, now));
  return conditions;
}

std::vector<AlarmCondition> spending_conditions(QuotaOwner const& owner, Spending const& spending,
                                                bool is_metered, WallTime now) {
  std::vector<AlarmCondition> conditions;
  if (auto const spike = spending.spike(owner, now)) {
    conditions.push_back({.subject = subject_of(AlarmName::spending_spike, owner),
                          .facts = {{"unitsThisHour", spike->units}, {"usualHour", spike->usual}}});
  }
  std::int64_t const beyond = spending.beyond_packs_of_late(owner, now);
  if (beyond > 0 && is_metered) {
    conditions.push_back(
        {.subject = subject_of(AlarmName::units_beyond_packs, owner), .facts = {{"units", beyond}}});
  }
  return conditions;
}

}  // namespace onetap::core
