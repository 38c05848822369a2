#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/billing/events.hpp"
#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/gate/session_store.hpp"
#include "core/ledger_admin.hpp"
#include "core/token/store.hpp"
#include "storage/ledger_file.hpp"

namespace onetap::storage {

/// Counted since the start.
struct LedgerStatistics {
  std::uint64_t transactions = 0;  // batches committed
  std::uint64_t commands = 0;      // in them
  std::uint64_t refused = 0;       // begins and finds answered Unavailable
  std::uint64_t abandoned = 0;
  std::uint64_t numbers_erased = 0;
  std::uint64_t codes_purged = 0;
  std::uint64_t queued = 0;         // now, events aside
  std::uint64_t events_queued = 0;  // requests of them, now
  std::uint64_t events_accepted = 0;
  std::uint64_t events_forgotten = 0;
  std::uint64_t maintenance_refused = 0;             // passes in which the schema refused something
  bool wal_truncated = true;                         // false: a reader keeps erased numbers in the WAL
  std::optional<core::SteadyTime> wal_kept_since{};  // then, since when
};

/// The ledger on a thread of its own, which has the only writing connection. Whatever queued while the
/// last commit ran is the next batch; of the events that queued apart it takes a few along, at its end. Calls
/// come from the loop's thread, and so do the answers; the clock is read there, too. What comes in one turn
/// of the loop is handed over together: a wake-up for each call would cost more than the call.
class LedgerThread final : public core::Ledger,
                           public core::LedgerAdmin,
                           public core::SessionStore,
                           public core::TokenStore,
                           public core::UsageStore,
                           public core::EventStore,
                           public core::AlarmStore {
 public:
  /// Called on the storage thread when a commit's fate is unknown, or the disk fails: the process must end
  /// with status 4 (its calls are never answered), and recovers when it starts again.
  using OnFatal = std::function<void(std::string const& reason)>;

  /// Called on the storage thread after each transaction: how many commands it had, and how long it took
  /// with its sync. Must not throw.
  using OnCommit = std::function<void(std::size_t commands, std::chrono::steady_clock::duration took)>;

  /// `clock` outlives it.
  LedgerThread(LedgerFile file, core::Clock const& clock, OnFatal on_fatal, OnCommit on_commit = {});
  ~LedgerThread() override;

  [[nodiscard]] core::Task<core::ledger::FindResult> find(core::Intent intent) override;
  [[nodiscard]] core::Task<core::ledger::BeginResult> begin(core::Intent intent) override;
  [[nodiscard]] core::Task<std::optional<core::AttemptId>> resend(core::Resend resend) override;
  [[nodiscard]] core::Task<core::ledger::Trace> trace(core::CodeKey code_key) override;
  [[nodiscard]] core::Task<> settle(core::Settlement settlement) override;
  [[nodiscard]] core::Task<core::ledger::RecordResult> record_decryption(
      core::Decryption decryption) override;
  [[nodiscard]] core::Task<bool> rescue(core::Rescue rescue) override;
  [[nodiscard]] bool writable() const override;
  [[nodiscard]] core::Task<core::admin::Answer> administer(core::admin::Command command) override;
  [[nodiscard]] core::Task<bool> add_login(core::LoginRow login) override;
  [[nodiscard]] core::Task<bool> change_sessions(core::SessionChanges changes) override;
  [[nodiscard]] core::Task<std::optional<std::vector<core::SealedBytes>>> session_keys(
      core::CallerKey user) override;

  [[nodiscard]] core::Task<bool> keep_token(core::StoredToken token) override;
  [[nodiscard]] core::Task<std::optional<core::UsageKept>> record_usage(
      core::UsageSnapshot snapshot) override;
  [[nodiscard]] core::Task<bool> keep_pushed(core::PushedUsage pushed) override;
  [[nodiscard]] core::Task<bool> change_alarms(core::AlarmChanges changes) override;

  [[nodiscard]] core::Task<core::Result<core::EventCounts, core::EventsRefused>> record(
      core::PageEvents events) override;
  /// What find_late_events() found; false: nothing was written.
  [[nodiscard]] core::Task<bool> settle_late_events(std::vector<LateEvent> events);

  /// Has the thread abandon, erase and forget what is due (SqliteLedger::maintain). To be called every few
  /// seconds: a number outlives its window by this much.
  void request_maintenance();

  /// Lets the operators' commands find the server.
  void write_operator_address(std::string_view address) { file_.lock.write_operator_address(address); }

  [[nodiscard]] LedgerStatistics statistics() const;

  /// Commits what is queued, ends the run, truncates the WAL and joins the thread. Blocks; the answers of
  /// the last batch are posted.
  void close();

 private:
  /// Whoever waits for a command. Boost 1.81's any_completion_handler breaks when it is move-assigned.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(Waiter const&) = delete;
    Waiter& operator=(Waiter const&) = delete;
    virtual ~Waiter() = default;
    /// On the loop, later.
    virtual void post(CommandResult result) = 0;
    /// Has the loop call `handler` when what it has at hand is done.
    virtual void post_on_loop(std::function<void()> handler) = 0;
  };
  template <class Handler>
  class HandlerWaiter;

  struct Pending {
    Command command;
    std::unique_ptr<Waiter> waiter;
  };
  using Batch = std::vector<Pending>;

  struct Turn {
    Batch batch;
    std::optional<Now> maintenance;
    bool last = false;
  };

  [[nodiscard]] core::Task<CommandResult> submit(Command command);
  [[nodiscard]] core::Task<CommandResult> submit_if_writable(Command command);
  /// For commands of which there is nothing to say; false: not done.
  [[nodiscard]] core::Task<bool> settle_if_writable(Command command);
  void enqueue(Pending pending);
  void hand_over_soon(Waiter& waiter);
  void hand_over();
  [[nodiscard]] std::atomic<std::size_t>& count_of(Pending const& pending);

  void run();
  [[nodiscard]] Turn next_turn();
  void take_events(Batch& batch);  // with mutex_ held
  void commit(Batch batch);
  void commit_held();
  void shed(Batch batch);
  [[nodiscard]] Batch shed_new_work(Batch batch);
  void maintain(Now now);
  void note_wal(bool truncated, core::SteadyTime now);
  void end();
  void fail(std::string const& reason);
  void answer(Batch& batch, std::vector<CommandResult> results);

  LedgerFile file_;
  core::Clock const& clock_;
  OnFatal on_fatal_;
  OnCommit on_commit_;

  // The loop's: what has come in this turn.
  std::vector<Pending> gathered_;
  std::size_t gathered_before_ = 0;  // when it was looked at last
  int turns_gathered_ = 0;
  std::shared_ptr<bool> const alive_ = std::make_shared<bool>(true);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;                 // guarded by mutex_
  std::deque<Pending> events_;                // guarded by mutex_; never before the others
  std::optional<Now> maintenance_;            // guarded by mutex_
  std::optional<core::WallTime> closing_at_;  // guarded by mutex_

  // The storage thread's own. Outcomes that had no room yet; what a failed disk leaves unanswered.
  Batch held_;
  Batch unanswered_;

  std::atomic<std::size_t> queued_ = 0;
  std::atomic<std::size_t> events_queued_ = 0;
  std::atomic<bool> full_ = false;  // the disk
  std::atomic<bool> failed_ = false;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> wal_truncated_ = true;
  std::atomic<core::SteadyTime::rep> wal_kept_since_ = 0;  // while it is not truncated
  std::atomic<std::uint64_t> transactions_ = 0;
  std::atomic<std::uint64_t> commands_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> abandoned_ = 0;
  std::atomic<std::uint64_t> numbers_erased_ = 0;
  std::atomic<std::uint64_t> codes_purged_ = 0;
  std::atomic<std::uint64_t> events_accepted_ = 0;
  std::atomic<std::uint64_t> events_forgotten_ = 0;
  std::atomic<std::uint64_t> maintenance_refused_ = 0;

  std::thread thread_;  // last: everything above is there before it runs
};

}  // namespace onetap::storage
