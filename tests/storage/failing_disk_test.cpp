#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <thread>

#include "tests/storage/proof_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/failing_memory.hpp"
#include "tests/support/fault_vfs.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;
using storage::Command;
using storage::CommandResult;
using storage::SqliteError;

struct Fault {
  char const* name;
  std::optional<DiskOperation> operation;  // none: an allocation
  int code;
};

constexpr std::array faults{
    Fault{"read", DiskOperation::read, SQLITE_IOERR_READ},
    Fault{"write", DiskOperation::write, SQLITE_IOERR_WRITE},
    Fault{"full disk", DiskOperation::write, SQLITE_FULL},
    Fault{"sync", DiskOperation::sync, SQLITE_IOERR_FSYNC},
    Fault{"truncate", DiskOperation::truncate, SQLITE_IOERR_TRUNCATE},
    Fault{"allocation", std::nullopt, SQLITE_NOMEM},
};

/// A ledger on a disk that fails once.
class Bench {
 public:
  Bench() : memory_(FailingMemory::install()), disk_(run_figure("ONETAP_SEED", 1)) {
    options_ = options_for(folder_ / "onetap.db", clock_);
    open();
    kill();
    disk_.start_process();
    disk_.remember();
  }

  /// From now on without a ledger to begin with.
  void forget_ledger() {
    disk_.clear();
    disk_.remember();
  }

  /// Tries `act` on what `prepare` left, with the n-th operation of each sort failing, n = 1 … until none
  /// fails any more. `act` returns what it was told is durable.
  void run(char const* name, std::function<void(Bench&)> const& prepare,
           std::function<void(Bench&)> const& act) {
    for (Fault const& fault : faults) {
      int struck = 0;
      for (std::int64_t nth = 1;; nth = next_to_fail(nth)) {
        start_over();
        prepare(*this);
        arm(fault, nth);
        bool const finished = attempt(act);
        bool const failed = fault.operation ? disk_.has_failed() : memory_.has_failed();
        disarm();
        CAPTURE(name);
        CAPTURE(fault.name);
        CAPTURE(nth);
        if (!failed) REQUIRE(finished);
        check_after_restart();
        if (!failed) break;
        ++struck;
      }
      std::printf("failing disk: %s, %s: failed in %d places\n", name, fault.name, struck);
      total_ += struck;
    }
  }

  [[nodiscard]] int total() const { return total_; }

  void open() { file_.emplace(opened_or_throw()); }
  void open_again() {
    kill();
    disk_.start_process();
    for (auto& [code, known] : known_) known = known.after_crash();
    open();
  }
  /// Ends as a killed process does.
  void kill() {
    disk_.kill_process();
    file_.reset();
  }
  [[nodiscard]] storage::SqliteLedger& ledger() { return *file_->ledger; }
  [[nodiscard]] StandingClock& clock() { return clock_; }

  void begin(int code) {
    std::vector<Command> const batch{
        {.action = storage::BeginCommand{intent_of(code, clock_.wall())}, .steady = clock_.steady()}};
    std::vector<CommandResult> const results = ledger().apply(batch);
    auto const started = std::get<ledger::Started>(std::get<ledger::BeginResult>(results.at(0)));
    known_[code] = KnownCode{.consumption = started.attempt.consumption, .created = clock_.wall()};
  }

  void settle(int code, State state) {
    KnownCode after = known_.at(code);
    core::Settlement const outcome = settlement_of(
        code, {.consumption = after.consumption, .number = after.attempts}, state, clock_.wall());
    std::vector<Command> const batch{{.action = outcome, .steady = clock_.steady()}};
    std::vector<CommandResult> const results = ledger().apply(batch);
    REQUIRE(std::holds_alternative<storage::Settled>(results.at(0)));
    after.state = state;
    after.cause = outcome.cause;
    after.sealed = state == State::ok;
    known_[code] = after;
  }

  void decrypt(int code) {
    std::vector<Command> const batch{
        {.action = decryption_of(code, clock_.wall()), .steady = clock_.steady()}};
    std::vector<CommandResult> const results = ledger().apply(batch);
    auto const recorded = std::get<ledger::Recorded>(std::get<ledger::RecordResult>(results.at(0)));
    known_[code] =
        KnownCode{.consumption = recorded.consumption, .attempts = 0, .state = State::ok, .sealed = true};
  }

  void rescue(int code) {
    rescuing_ = code;
    std::vector<Command> const batch{{.action = rescue_of(code, clock_.wall()), .steady = clock_.steady()}};
    std::vector<CommandResult> const results = ledger().apply(batch);
    REQUIRE(std::holds_alternative<storage::Settled>(results.at(0)));
    KnownCode& known = known_.at(code);
    known.state = State::ok;
    known.cause = Cause::none;
    known.sealed = true;
  }

 private:
  struct NotOpened {};

  storage::LedgerFile opened_or_throw() {
    auto file = storage::open_ledger(options_);
    if (!file) throw NotOpened();
    return std::move(*file);
  }

  void start_over() {
    kill();
    disk_.go_back();
    known_.clear();
    rescuing_.reset();
  }

  void arm(Fault const& fault, std::int64_t nth) {
    if (fault.operation) {
      disk_.fail(*fault.operation, nth, fault.code);
    } else {
      memory_.fail(nth);
    }
  }

  void disarm() {
    memory_.forget_failure();
    disk_.forget_failure();
  }

  bool attempt(std::function<void(Bench&)> const& act) {
    try {
      act(*this);
      return true;
    } catch (SqliteError const&) {
      return false;
    } catch (NotOpened const&) {
      return false;
    }
  }

  // The next start finds what was acknowledged, and what it finds outlives the power.
  void check_after_restart() {
    kill();
    disk_.start_process();
    open();
    KnownCodes const told = look();
    for (auto const& [code, known] : known_) {
      std::optional<KnownCode> const left = known.after_crash();
      if (!fits(left, told, code) && !has_moved_on(*left, told, code)) {
        FAIL_CHECK("code " << code << ": acknowledged " << describe(left) << ", found "
                           << describe(find_code(told, code)));
      }
    }
    kill();
    disk_.restore_power(Survival::nothing);
    open();
    KnownCodes const left = look();
    CHECK(left.size() == told.size());
    for (auto const& [code, was_told] : told) CHECK(fits(was_told, left, code));
  }

  // A command that was not acknowledged may have landed: what was in doubt for want of an outcome has one.
  [[nodiscard]] bool has_moved_on(KnownCode const& left, KnownCodes const& stored, int code) const {
    std::optional<KnownCode> const there = find_code(stored, code);
    bool const may_move = left.cause == Cause::crash || rescuing_ == code;
    return there && left.state == State::in_doubt && may_move && there->state == State::ok && there->sealed;
  }

  KnownCodes look() {
    storage::Connection reader(options_.path, storage::Access::read_only);
    std::vector<std::string> const broken = damage(reader);
    CHECK_MESSAGE(broken.empty(), (broken.empty() ? "" : broken.front()));
    return stored_codes(reader);
  }

  FailingMemory& memory_;
  TempFolder folder_;
  StandingClock clock_;
  FaultVfs disk_;
  storage::LedgerOptions options_;
  std::optional<storage::LedgerFile> file_;
  KnownCodes known_;
  std::optional<int> rescuing_;
  int total_ = 0;
};

void with_open_attempts(Bench& bench) {
  bench.open();
  for (int code = 1; code <= 3; ++code) bench.begin(code);
}

void with_history(Bench& bench) {
  with_open_attempts(bench);
  bench.settle(1, State::ok);
  bench.settle(2, State::in_doubt);
}

/// A ledger on its thread, on a disk with a bound that the test moves.
class FullDisk {
 public:
  explicit FullDisk(std::size_t ballast_bytes) : disk_(1), ballast_bytes_(ballast_bytes) {
    options_ = options_for(folder_ / "onetap.db", clock_);
    options_.ballast_bytes = ballast_bytes;
    disk_.set_capacity([this] {
      bool const has_ballast = std::filesystem::exists(options_.path.string() + ".ballast");
      return room_ + (has_ballast ? 0 : ballast_bytes_);
    });
    start();
  }

  void start() {
    thread_ = std::make_unique<storage::LedgerThread>(opened(options_), clock_,
                                                      [this](std::string const&) { has_failed_ = true; });
  }

  void fill() { room_ = disk_.bytes_used(); }
  void make_room() { room_ = plenty; }

  ledger::BeginResult begin(int code) { return await(loop_, thread_->begin(intent_of(code, clock_.wall()))); }
  core::AttemptId started(int code) { return std::get<ledger::Started>(begin(code)).attempt; }
  bool refuses(int code) { return std::holds_alternative<ledger::Unavailable>(begin(code)); }

  void settle(int code, core::AttemptId attempt) {
    await(loop_, thread_->settle(settlement_of(code, attempt, State::ok, clock_.wall())));
  }

  /// After a power cut right now.
  KnownCodes after_power_cut() {
    CHECK_FALSE(has_failed_);
    disk_.kill_process();
    thread_.reset();
    disk_.restore_power(Survival::nothing);
    make_room();
    start();
    storage::Connection reader(options_.path, storage::Access::read_only);
    CHECK(damage(reader).empty());
    return stored_codes(reader);
  }

  [[nodiscard]] storage::LedgerThread& thread() { return *thread_; }
  [[nodiscard]] asio::io_context& loop() { return loop_; }
  [[nodiscard]] StandingClock& clock() { return clock_; }

 private:
  static constexpr std::uint64_t plenty = std::uint64_t{1} << 30U;

  TempFolder folder_;
  StandingClock clock_;
  FaultVfs disk_;
  std::atomic<std::uint64_t> room_ = plenty;  // SQLite's threads ask, under locks of their own
  std::atomic<bool> has_failed_ = false;
  std::size_t ballast_bytes_;
  storage::LedgerOptions options_;
  asio::io_context loop_{1};
  std::unique_ptr<storage::LedgerThread> thread_;
};

constexpr std::size_t ballast_bytes = 1U << 20U;

}  // namespace

TEST_CASE("an intent is acknowledged only when no failure can take it back") {
  Bench bench;
  bench.run("T1", [](Bench& b) { b.open(); }, [](Bench& b) { b.begin(7); });
  CHECK(bench.total() > 20);
}

TEST_CASE("an outcome is acknowledged only when no failure can take it back") {
  Bench bench;
  bench.run("T2", with_open_attempts, [](Bench& b) { b.settle(2, State::ok); });
  CHECK(bench.total() > 20);
}

TEST_CASE("a decryption and a rescue are acknowledged only when no failure can take them back") {
  Bench bench;
  bench.run("decryption", [](Bench& b) { b.open(); }, [](Bench& b) { b.decrypt(7); });
  bench.run("rescue", with_history, [](Bench& b) { b.rescue(2); });
  CHECK(bench.total() > 40);
}

TEST_CASE("a checkpoint that fails loses nothing") {
  Bench bench;
  bench.run("checkpoint", with_history, [](Bench& b) { b.ledger().end(b.clock().wall()); });
  CHECK(bench.total() > 10);
}

TEST_CASE("a start that fails leaves a ledger that the next start recovers") {
  Bench bench;
  bench.run("opening", with_history, [](Bench& b) { b.open_again(); });
  CHECK(bench.total() > 50);
}

TEST_CASE("a migration that fails leaves nothing behind that the next one stumbles over") {
  Bench bench;
  bench.forget_ledger();
  bench.run("migration", [](Bench&) {}, [](Bench& b) { b.open(); });
  CHECK(bench.total() > 50);
}

TEST_CASE("a full disk refuses new codes, lands the outcomes in flight, and recovers when there is room") {
  FailingMemory::install();
  FullDisk disk(ballast_bytes);
  std::vector<core::AttemptId> attempts;
  for (int code = 0; code < 50; ++code) attempts.push_back(disk.started(code));
  disk.fill();
  CHECK(disk.refuses(100));
  CHECK_FALSE(disk.thread().writable());
  for (int code = 0; code < 50; ++code) disk.settle(code, attempts[static_cast<std::size_t>(code)]);
  CHECK(disk.refuses(101));

  SUBCASE("what landed outlives the power") {
    KnownCodes const codes = disk.after_power_cut();
    CHECK(codes.size() == 50);
    for (auto const& [code, known] : codes) CHECK((known.state == State::ok && known.sealed));
  }
  SUBCASE("room is noticed by itself") {
    disk.make_room();
    disk.thread().request_maintenance();
    while (!disk.thread().writable()) std::this_thread::yield();
    CHECK(disk.started(102).number == 1);
    CHECK(disk.after_power_cut().size() == 51);
  }
}

TEST_CASE(
    "an outcome for which even the ballast leaves no room waits for it, and is not acknowledged before") {
  FailingMemory::install();
  FullDisk disk(0);
  core::AttemptId const attempt = disk.started(1);
  disk.fill();
  bool acknowledged = false;
  asio::co_spawn(disk.loop(), disk.thread().settle(settlement_of(1, attempt, State::ok, disk.clock().wall())),
                 [&](std::exception_ptr const& error) { acknowledged = !error; });
  disk.loop().restart();
  while (disk.thread().writable()) disk.loop().poll();
  disk.loop().poll();
  CHECK_FALSE(acknowledged);
  disk.make_room();
  disk.loop().run();
  CHECK(acknowledged);
  CHECK(disk.after_power_cut().at(1).state == State::ok);
}

}  // namespace onetap::tests
