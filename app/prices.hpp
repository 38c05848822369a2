#pragma once

#include "app/settings.hpp"
#include "storage/pack_book.hpp"

namespace onetap::app {

/// What a unit costs in each mini program, where its pack has no price of its own.
[[nodiscard]] inline storage::Prices prices_of(Settings const& settings) {
  storage::Prices prices{.usual = {.quick_micro_yuan = settings.price_quick_micro_yuan,
                                   .realtime_micro_yuan = settings.price_realtime_micro_yuan}};
  for (MiniProgramSettings const& each : settings.mini_programs) {
    prices.of_apps[each.appid] = {.quick_micro_yuan = each.price_quick_micro_yuan,
                                  .realtime_micro_yuan = each.price_realtime_micro_yuan};
  }
  return prices;
}

}  // namespace onetap::app
