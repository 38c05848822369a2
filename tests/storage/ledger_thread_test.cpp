#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "core/limits.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;

/// Spawns begins of codes first … first + count - 1 without running the loop.
void spawn_begins(SqliteUnderTest& tested, int first, int count, std::vector<ledger::BeginResult>& results) {
  Speaker const speaker(tested);
  for (int code = first; code < first + count; ++code) {
    asio::co_spawn(tested.loop(), tested.port().begin(speaker.intent(code, caller(1))),
                   [&results](std::exception_ptr const& error, ledger::BeginResult result) {
                     REQUIRE_FALSE(error);
                     results.push_back(std::move(result));
                   });
  }
}

std::string bytes_of(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// While it lives every write to a file fails (EFBIG, which SQLite takes for an I/O error).
class FailingWrites {
 public:
  FailingWrites() {
    previous_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    rlimit none = previous_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_FSIZE, &none);
  }
  FailingWrites(FailingWrites const&) = delete;
  FailingWrites& operator=(FailingWrites const&) = delete;
  ~FailingWrites() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, previous_handler_);
  }

 private:
  rlimit previous_{};
  void (*previous_handler_)(int) = nullptr;
};

template <class Result>
int count_of(std::vector<ledger::BeginResult> const& results) {
  return static_cast<int>(std::ranges::count_if(
      results, [](ledger::BeginResult const& result) { return std::holds_alternative<Result>(result); }));
}

}  // namespace

TEST_CASE("what queued while a commit waited for the disk is one transaction") {
  SqliteUnderTest tested;
  // Another writer stands in for a slow disk: the first batch can't begin while it holds the lock.
  auto slow_disk = std::make_unique<storage::Connection>(tested.path(), storage::Access::read_write);
  slow_disk->run("BEGIN IMMEDIATE");
  std::vector<ledger::BeginResult> results;
  spawn_begins(tested, 0, 100, results);
  tested.loop().restart();
  while (tested.loop().poll_one() > 0 && tested.thread().statistics().queued < 100) {
  }
  REQUIRE(tested.thread().statistics().queued == 100);
  slow_disk->run("COMMIT");
  tested.loop().run();
  CHECK(count_of<ledger::Started>(results) == 100);
  CHECK(tested.thread().statistics().commands == 100);
  CHECK(tested.thread().statistics().transactions <= 2);
}

TEST_CASE("a batch holds no more than its bound") {
  SqliteUnderTest tested;
  auto slow_disk = std::make_unique<storage::Connection>(tested.path(), storage::Access::read_write);
  slow_disk->run("BEGIN IMMEDIATE");
  std::vector<ledger::BeginResult> results;
  int const count = static_cast<int>(core::limits::ledger_batch_max) * 3 + 1;
  spawn_begins(tested, 0, count, results);
  tested.loop().restart();
  while (tested.loop().poll_one() > 0 &&
         tested.thread().statistics().queued < static_cast<std::uint64_t>(count)) {
  }
  slow_disk->run("COMMIT");
  tested.loop().run();
  CHECK(count_of<ledger::Started>(results) == count);
  CHECK(tested.thread().statistics().transactions >= 4);
  CHECK(tested.violations().empty());
}

TEST_CASE("a full queue refuses new codes, but neither outcomes nor re-sends") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  core::AttemptId const first = speaker.started(60'001, caller(1));
  core::AttemptId const second = speaker.started(60'002, caller(1));
  auto slow_disk = std::make_unique<storage::Connection>(tested.path(), storage::Access::read_write);
  slow_disk->run("BEGIN IMMEDIATE");
  std::vector<ledger::BeginResult> results;
  int const limit = static_cast<int>(core::limits::ledger_queue_max);
  spawn_begins(tested, 0, limit + 5, results);
  tested.loop().restart();
  while (tested.loop().poll_one() > 0) {
  }
  CHECK(count_of<ledger::Unavailable>(results) == 5);
  CHECK_FALSE(tested.port().writable());

  core::Settlement outcome;
  outcome.attempt = first;
  outcome.state = State::rejected;
  outcome.at = tested.now();
  core::Resend resend;
  resend.refused = second;
  resend.errcode = 40001;
  resend.at = tested.now();
  std::optional<core::AttemptId> sent_again;
  asio::co_spawn(tested.loop(), tested.port().settle(outcome),
                 [](std::exception_ptr const& error) { CHECK_FALSE(error); });
  asio::co_spawn(tested.loop(), tested.port().resend(resend),
                 [&](std::exception_ptr const& error, std::optional<core::AttemptId> next) {
                   CHECK_FALSE(error);
                   sent_again = next;
                 });
  while (tested.loop().poll_one() > 0) {
  }
  CHECK(tested.thread().statistics().queued == static_cast<std::uint64_t>(limit) + 2);
  slow_disk->run("COMMIT");
  tested.loop().run();
  CHECK(count_of<ledger::Started>(results) == limit);
  CHECK(sent_again.has_value());
  CHECK(stored(speaker.find(60'001, caller(1))).state == State::rejected);
  CHECK(tested.port().writable());
}

TEST_CASE("a closed ledger begins nothing and has committed what was queued") {
  SqliteUnderTest tested;
  std::vector<ledger::BeginResult> results;
  spawn_begins(tested, 0, 10, results);
  tested.loop().restart();
  while (tested.thread().statistics().queued + results.size() < 10 && tested.loop().poll_one() > 0) {
  }
  tested.close();
  tested.loop().run();
  CHECK(count_of<ledger::Started>(results) == 10);
  Speaker speaker(tested);
  CHECK(std::holds_alternative<ledger::Unavailable>(speaker.begin(11, caller(1))));
  CHECK(std::holds_alternative<ledger::Unavailable>(speaker.find(1, caller(1))));
  CHECK_FALSE(tested.port().writable());
  CHECK(std::filesystem::file_size(tested.path().string() + "-wal") == 0);
}

TEST_CASE("an erased number is gone from the database's pages and from the WAL") {
  SqliteUnderTest tested;
  Speaker speaker(tested);
  std::string const mark = "a sealed number with a mark of its own";
  core::Settlement settlement;
  settlement.attempt = speaker.started(1, caller(1));
  settlement.state = State::ok;
  settlement.sealed_number.assign(mark.begin(), mark.end());
  speaker.settle(settlement);
  std::filesystem::path const wal = tested.path().string() + "-wal";
  REQUIRE(bytes_of(wal).find(mark) != std::string::npos);

  SUBCASE("when its window is over") {
    tested.pass(10min);
    tested.maintain();
    CHECK(tested.thread().statistics().numbers_erased == 1);
    CHECK(tested.thread().statistics().wal_truncated);
    CHECK(bytes_of(tested.path()).find(mark) == std::string::npos);
    CHECK(bytes_of(wal).find(mark) == std::string::npos);
  }
  SUBCASE("a reader's open transaction keeps it, which is told, and its end lets it go") {
    storage::Connection reader(tested.path(), storage::Access::read_only);
    reader.run("BEGIN");
    static_cast<void>(reader.integer("SELECT count(*) FROM live_code"));
    tested.pass(10min);
    tested.maintain();
    CHECK_FALSE(tested.thread().statistics().wal_truncated);
    auto const since = tested.thread().statistics().wal_kept_since;
    CHECK(since == tested.clock().steady());
    tested.pass(1min);
    tested.maintain();
    CHECK(tested.thread().statistics().wal_kept_since == since);
    reader.run("COMMIT");
    tested.maintain();
    CHECK(tested.thread().statistics().wal_truncated);
    CHECK_FALSE(tested.thread().statistics().wal_kept_since.has_value());
    CHECK(bytes_of(tested.path()).find(mark) == std::string::npos);
    CHECK(bytes_of(wal).find(mark) == std::string::npos);
  }
}

TEST_CASE("a commit that nobody can vouch for ends the process and answers nobody") {
  TempFolder folder;
  StandingClock clock;
  asio::io_context loop{1};
  std::string reason;
  auto thread = std::make_unique<storage::LedgerThread>(opened(options_for(folder / "onetap.db", clock)),
                                                        clock, [&](std::string const& why) { reason = why; });
  bool answered = false;
  core::Intent intent;
  intent.code_key = {digest_of(1)};
  intent.appid = "wx1";
  intent.request_id = "r";
  intent.at = clock.wall();
  asio::co_spawn(loop, thread->begin(intent),
                 [&](std::exception_ptr const&, ledger::BeginResult const&) { answered = true; });
  {
    FailingWrites const disk_fails;
    while (loop.poll_one() > 0) {
    }
    thread->close();
  }
  loop.poll();
  CHECK_FALSE(answered);
  CHECK_FALSE(reason.empty());
  CHECK_FALSE(thread->writable());
}

}  // namespace onetap::tests
