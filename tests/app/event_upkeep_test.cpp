#include "app/event_upkeep.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include "core/limits.hpp"
#include "storage/reports.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/manual_clock.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t at_once = core::limits::late_events_at_once;

/// A ledger to which a page tells of codes that it got a day ago.
struct Bench {
  TempFolder folder;
  asio::io_context loop{1};
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  std::filesystem::path path = folder / "onetap.db";
  storage::LedgerThread ledger{opened(options()), clock, [](std::string const& reason) { FAIL(reason); }};
  app::EventUpkeep upkeep{ledger, clock, log, path};

  storage::LedgerOptions options() {
    storage::LedgerOptions options = options_for(path, StandingClock());
    options.now = {.wall = clock.wall(), .steady = clock.steady()};
    return options;
  }

  void tell(std::size_t count) {
    core::PageEvents events{.appid = "wx1", .received = clock.wall()};
    for (std::size_t i = 0; i < count; ++i) {
      events.events.push_back({.id = std::string(16, 'a') + std::to_string(i),
                               .type = core::EventType::issued,
                               .code_key = core::CodeKey{digest_of(static_cast<int>(i))},
                               .at = clock.wall() - 24h});
    }
    CHECK(await(loop, ledger.record(std::move(events)))->accepted == count);
  }
  std::string never_presented() {
    auto reports = storage::Reports::open(path);
    return storage::to_text(reports->query("SELECT sum(never_presented) FROM v_funnel", {}).rows[0][0]);
  }
};

}  // namespace

TEST_CASE("events that were kept for long are settled piece by piece, once five minutes have passed") {
  Bench bench;
  bench.tell(at_once + 3);
  CHECK_FALSE(await(bench.loop, bench.upkeep.settle_some()));
  CHECK(bench.never_presented() == "0");
  bench.clock.advance(5min);
  CHECK(await(bench.loop, bench.upkeep.settle_some()));
  CHECK(bench.never_presented() == std::to_string(at_once));
  CHECK_FALSE(await(bench.loop, bench.upkeep.settle_some()));
  CHECK(bench.never_presented() == std::to_string(at_once + 3));
  CHECK(bench.lines.empty());
}

TEST_CASE("a database that cannot be read is said, and nothing else happens") {
  Bench bench;
  app::EventUpkeep astray(bench.ledger, bench.clock, bench.log, bench.folder / "no-such.db");
  CHECK_FALSE(await(bench.loop, astray.settle_some()));
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines.front().find("late_events_not_settled") != std::string::npos);
}
