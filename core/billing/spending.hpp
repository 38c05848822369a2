#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::core {

/// One kind of component of one mini program: what has a quota of its own.
struct QuotaOwner {
  std::string appid;
  Kind kind = Kind::quick;

  auto operator<=>(QuotaOwner const&) const = default;
};

/// Units that the ledger has booked as charged, or perhaps charged, within one hour.
struct UnitsOfHour {
  QuotaOwner owner;
  std::int64_t hour = 0;  // since 1970
  std::int64_t units = 0;
  std::int64_t beyond_packs =
      0;  // no pack that is known could pay for so many; less those that came to one later
};

/// An hour that takes far more than usual.
struct Spike {
  std::int64_t units = 0;  // of this hour, so far
  std::int64_t usual = 0;  // at most so many take 19 of 20 hours
};

/// How fast units go, by the hours of the last limits::spending_days.
class Spending {
 public:
  void add(UnitsOfHour const& units);
  void forget_old(WallTime now);

  /// Units a day of late: since the first of those days that anything was booked, a day at least; none where
  /// nothing was.
  [[nodiscard]] std::optional<double> units_a_day(QuotaOwner const& owner, WallTime now) const;

  /// This hour took limits::spike_units_min units or more, and more than limits::spike_factor times what 19
  /// of 20 of the earlier hours took. Before a day's worth of hours is known, nothing is a spike.
  [[nodiscard]] std::optional<Spike> spike(QuotaOwner const& owner, WallTime now) const;

  /// Of this hour and the one before: units that no known pack could pay for.
  [[nodiscard]] std::int64_t beyond_packs_of_late(QuotaOwner const& owner, WallTime now) const;
  [[nodiscard]] std::int64_t units_this_hour(QuotaOwner const& owner, WallTime now) const;

 private:
  struct Booked {
    std::int64_t units = 0;
    std::int64_t beyond_packs = 0;
  };
  using Hours = std::map<std::int64_t, Booked>;  // hours without any have no place

  std::map<QuotaOwner, Hours> of_owners_;
};

[[nodiscard]] std::int64_t hour_of(WallTime time);

}  // namespace onetap::core
