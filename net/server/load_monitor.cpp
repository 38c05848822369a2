#include "net/server/load_monitor.hpp"

#include <algorithm>

#include "core/limits.hpp"

namespace onetap::net {

namespace limits = core::limits;

core::Task<> LoadMonitor::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    core::SteadyTime const planned = clock_.steady() + limits::load_look_interval;
    bool const told = co_await clock_.wait(stop_, planned);
    if (told) co_return;
    take(clock_.steady() - planned, queue_fill_());
  }
}

void LoadMonitor::stop() {
  stopping_ = true;
  stop_.notify_all();
}

void LoadMonitor::take(core::SteadyTime::duration lag, double queue_fill) {
  if (observer_) observer_(lag);
  looks_.at(next_) = {.lag = lag, .queue_fill = queue_fill};
  next_ = (next_ + 1) % looks_.size();
  auto const least_lag = std::ranges::min(looks_, {}, &Look::lag).lag;
  auto const least_fill = std::ranges::min(looks_, {}, &Look::queue_fill).queue_fill;
  if (least_lag >= limits::loop_lag_shedding_all || least_fill >= limits::queue_fill_shedding_all) {
    level_ = Shedding::all;
  } else if (least_lag >= limits::loop_lag_shedding_logins ||
             least_fill >= limits::queue_fill_shedding_logins) {
    level_ = Shedding::logins;
  } else {
    level_ = Shedding::none;
  }
}

}  // namespace onetap::net
