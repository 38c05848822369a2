#include "app/task_keeper.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

core::Task<bool> finish(core::Task<> task) {
  co_await std::move(task);
  co_return true;
}

struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  std::vector<std::string> failed;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::error, [this] { return clock.wall(); }};
  app::TaskKeeper keeper{clock, log, [this](std::string const& task) { failed.push_back(task); }};
  int runs = 0;
  core::milliseconds lasts{0};
  bool ends_well = false;

  core::Task<> run_task() {
    ++runs;
    if (lasts > 0ms) co_await clock.sleep_until(clock.steady() + lasts);
    if (!ends_well) throw std::logic_error("the ledger refused a command");
  }
  Started<bool> begin() {
    auto started = start(loop, finish(keeper.keep("usage", [this] { return run_task(); })));
    clock.settle();
    return started;
  }
};

}  // namespace

TEST_CASE("a task that fails is told and started again, after a pause that grows up to a minute") {
  Bench bench;
  auto const started = bench.begin();
  CHECK(bench.runs == 1);
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines[0].find(R"("msg":"task_failed","task":"usage","what":"the ledger refused a command")") !=
        std::string::npos);
  CHECK(bench.failed == std::vector<std::string>{"usage"});
  for (core::milliseconds pause = 1s; pause < 64s; pause *= 2) {
    int const before = bench.runs;
    bench.clock.advance(pause - 1ms);
    CHECK(bench.runs == before);
    bench.clock.advance(1ms);
    CHECK(bench.runs == before + 1);
  }
  bench.clock.advance(60s);
  CHECK(bench.runs == 8);
  bench.keeper.stop();
  bench.clock.settle();
  CHECK(started.done());
}

TEST_CASE("one that ran for long begins anew with the shortest pause") {
  Bench bench;
  bench.lasts = 61s;
  auto const started = bench.begin();
  bench.clock.advance(61s);
  bench.clock.advance(1s);
  CHECK(bench.runs == 2);
  bench.clock.advance(61s);
  bench.clock.advance(1s);
  CHECK(bench.runs == 3);
  bench.keeper.stop();
  bench.clock.advance(62s);
  CHECK(started.done());
}

TEST_CASE("one that returns is done") {
  Bench bench;
  bench.ends_well = true;
  auto const started = bench.begin();
  CHECK(started.done());
  CHECK(bench.lines.empty());
}
