#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/billing/spending.hpp"
#include "core/billing/usage.hpp"
#include "core/clock.hpp"

namespace onetap::core {

/// How fast units go; none where it is not known.
struct SpendingRates {
  std::optional<double> ours_a_day{};    // Spending::units_a_day
  std::optional<double> wechat_a_day{};  // get_recent_average: of months, fuzzed (facts/wechat-api.md §2.2)

  /// The faster of the two: what runs out is told early, what is said to expire unused will.
  [[nodiscard]] double a_day() const;
};

struct PackForecast {
  std::string pkg_id;  // empty: the trial pack
  bool is_in_force = true;
  std::int64_t units_left = 0;
  std::optional<WallTime> ends{};     // none: never
  std::optional<WallTime> used_up{};  // when, if that comes before its end
  std::int64_t units_unused = 0;      // that will expire
};

/// What becomes of the units that are left, at the rate of late.
struct Forecast {
  QuotaOwner owner;
  WallTime as_of;                // WeChat's figures are of that time
  bool is_metered = false;       // false: WeChat names no pack (exempt from fees, or never used)
  std::int64_t units_given = 0;  // of all packs that WeChat names: grows with each purchase
  std::int64_t units = 0;        // of the packs in force
  std::int64_t units_left = 0;   // of those
  bool is_used_up = false;
  SpendingRates rates;
  std::optional<double> days_left{};  // until no pack has a unit; none: not in sight
  std::vector<PackForecast> packs{};  // with units left, in the order in which they are used
  std::int64_t units_unused = 0;

  /// Of the packs in force, rounded up: 0 only when nothing is left.
  [[nodiscard]] int percent_left() const;
};

/// WeChat takes units of the trial pack first, then of whichever ends first, then of the lowest id
/// (design/ledger.md, "Entries"). Ten years are foreseen.
[[nodiscard]] Forecast forecast(UsageSnapshot const& snapshot, SpendingRates const& rates, WallTime now);

}  // namespace onetap::core
