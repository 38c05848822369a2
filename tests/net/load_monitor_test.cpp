#include "net/server/load_monitor.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "core/limits.hpp"
#include "tests/net/net_bench.hpp"

using namespace onetap;
using namespace onetap::tests;
using net::LoadMonitor;
using net::Shedding;

namespace {

namespace limits = core::limits;

struct MonitorBench : NetBench {
  double fill = 0;
  LoadMonitor monitor{clock, [this] { return fill; }};

  Shedding after(std::initializer_list<core::milliseconds> lags, double queue_fill = 0) {
    for (core::milliseconds const lag : lags) monitor.take(lag, queue_fill);
    return monitor.level();
  }
};

}  // namespace

TEST_CASE("a server at rest refuses nobody") {
  MonitorBench bench;
  CHECK(bench.monitor.level() == Shedding::none);
  CHECK(bench.after({0ms, 5ms, 49ms, 49ms, 49ms}) == Shedding::none);
}

TEST_CASE("one stall sheds nothing, a loop that stays late sheds logins first and codes last") {
  static_assert(limits::loop_lag_shedding_logins == 50ms && limits::loop_lag_shedding_all == 250ms);
  MonitorBench bench;
  CHECK(bench.after({5000ms, 5000ms}) == Shedding::none);
  CHECK(bench.after({0ms}) == Shedding::none);
  CHECK(bench.after({50ms, 5000ms, 60ms}) == Shedding::logins);
  CHECK(bench.after({250ms, 300ms, 5000ms}) == Shedding::all);
}

TEST_CASE("as soon as the loop is in time once, nobody is refused any more") {
  MonitorBench bench;
  CHECK(bench.after({300ms, 300ms, 300ms}) == Shedding::all);
  CHECK(bench.after({100ms}) == Shedding::logins);
  CHECK(bench.after({1ms}) == Shedding::none);
}

TEST_CASE("a storage queue that stays full sheds like a late loop") {
  MonitorBench bench;
  CHECK(bench.after({0ms, 0ms, 0ms}, 0.49) == Shedding::none);
  CHECK(bench.after({0ms, 0ms, 0ms}, 0.5) == Shedding::logins);
  CHECK(bench.after({0ms, 0ms, 0ms}, 0.9) == Shedding::all);
  CHECK(bench.after({0ms}, 0.1) == Shedding::none);
}

TEST_CASE("each look's lateness is told, whatever it leads to") {
  NetBench bench;
  std::vector<core::SteadyTime::duration> told;
  LoadMonitor monitor(bench.clock, [] { return 0.0; }, [&told](auto lag) { told.push_back(lag); });
  for (core::milliseconds const lag : {0ms, 300ms, 1ms}) monitor.take(lag, 0);
  CHECK(told == std::vector<core::SteadyTime::duration>{0ms, 300ms, 1ms});
}

TEST_CASE("it looks by itself until it is stopped") {
  MonitorBench bench;
  bench.fill = 1;
  auto test = [&bench]() -> core::Task<> {
    asio::co_spawn(bench.loop, bench.monitor.run(),
                   [](std::exception_ptr const& failure) { CHECK_FALSE(failure); });
    while (bench.monitor.level() != Shedding::all) {
      co_await bench.clock.sleep_until(bench.clock.steady() + 10ms);
    }
  };
  bench.NetBench::run(test(), [&bench] { bench.monitor.stop(); });
}
