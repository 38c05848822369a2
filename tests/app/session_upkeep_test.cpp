#include "app/session_upkeep.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>

#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_session_store.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

core::Task<bool> run_upkeep(app::SessionUpkeep& upkeep) {
  co_await upkeep.run();
  co_return true;
}

/// A thousand sessions whose idle time is over in a minute.
struct Bench {
  static constexpr std::size_t count = 1000;

  asio::io_context loop;
  ManualClock clock{loop};
  MemorySessionStore store;
  core::SessionBook sessions{{.idle = 30s, .longest = 24h}};
  app::SessionUpkeep upkeep{sessions, store, clock};

  Bench() {
    for (std::size_t i = 0; i < count; ++i) {
      core::Session session;
      session.row.id.token_digest[0] = static_cast<unsigned char>(i % 256);
      session.row.id.token_digest[1] = static_cast<unsigned char>(i / 256);
      session.row.user.digest = session.row.id.token_digest;
      session.row.opened = clock.wall();
      session.row.used = clock.wall();
      sessions.open(std::move(session));
    }
  }

  [[nodiscard]] std::size_t ended_in_all() const {
    std::size_t sum = 0;
    for (core::SessionChanges const& change : store.changes) sum += change.ended.size();
    return sum;
  }
};

}  // namespace

TEST_CASE("however many sessions end at once, the store hears of them in pieces") {
  Bench bench;
  auto running = start(bench.loop, run_upkeep(bench.upkeep));
  bench.clock.advance(core::limits::session_store_rhythm);
  CHECK(bench.store.changes.size() == 1);
  bench.clock.advance(3 * core::limits::session_upkeep_pause);
  CHECK(bench.store.changes.size() == 4);
  for (core::SessionChanges const& change : bench.store.changes)
    CHECK(change.ended.size() + change.used.size() <= core::limits::session_changes_at_once);
  CHECK(bench.ended_in_all() == Bench::count);
  bench.upkeep.stop();
  bench.clock.settle();
  CHECK(running.done());
}

TEST_CASE("what the store did not take is told again, and nothing twice") {
  Bench bench;
  bench.store.accepts = false;
  auto running = start(bench.loop, run_upkeep(bench.upkeep));
  bench.clock.advance(core::limits::session_store_rhythm + 3 * core::limits::session_upkeep_pause);
  CHECK(bench.store.changes.empty());
  bench.store.accepts = true;
  bench.clock.advance(core::limits::session_store_rhythm);
  CHECK(bench.ended_in_all() == Bench::count);
  bench.clock.advance(core::limits::session_store_rhythm);
  CHECK(bench.ended_in_all() == Bench::count);
  bench.upkeep.stop();
  bench.clock.settle();
  CHECK(running.done());
}
