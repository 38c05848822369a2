#pragma once

#include <optional>
#include <vector>

#include "core/alarm/alarm_book.hpp"
#include "core/billing/forecast.hpp"
#include "core/billing/quota_standing.hpp"
#include "core/billing/spending.hpp"

namespace onetap::core {

/// What of a quota an operator should know: by WeChat's figures, or by what it has pushed of late where they
/// lag behind, at most 20, 10, 5 or 0 % left, or units for 15, 7, 3 or 1 days; a
/// pack in force that ends within so many days with units that nobody will have used.
[[nodiscard]] std::vector<AlarmCondition> quota_conditions(Forecast const& forecast,
                                                           std::optional<ToldPercent> const& told,
                                                           WallTime now);

/// An hour far above the usual; units that no known pack could pay for, where WeChat names packs.
[[nodiscard]] std::vector<AlarmCondition> spending_conditions(QuotaOwner const& owner,
                                                              Spending const& spending, bool is_metered,
                                                              WallTime now);

}  // namespace onetap::core
