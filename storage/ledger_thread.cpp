#include "storage/ledger_thread.hpp"

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "core/limits.hpp"

namespace onetap::storage {

namespace asio = boost::asio;

namespace {

namespace limits = core::limits;
namespace ledger = core::ledger;

// How long outcomes wait for room on a full disk before they are tried again.
constexpr auto held_retry_time = std::chrono::milliseconds(500);

// Each turn of a busy loop brings something: so many are worth waiting for, with the disk idle.
constexpr int gathering_turns_max = 4;

bool is_new_work(Command const& command) {
  return std::holds_alternative<FindCommand>(command.action) ||
         std::holds_alternative<core::admin::Command>(command.action) ||
         std::holds_alternative<BeginCommand>(command.action) ||
         std::holds_alternative<core::Decryption>(command.action) ||
         std::holds_alternative<core::LoginRow>(command.action) ||
         std::holds_alternative<core::SessionChanges>(command.action) ||
         std::holds_alternative<core::StoredToken>(command.action) ||
         std::holds_alternative<core::UsageSnapshot>(command.action) ||
         std::holds_alternative<core::PushedUsage>(command.action) ||
         std::holds_alternative<core::AlarmChanges>(command.action) ||
         std::holds_alternative<core::PageEvents>(command.action) ||
         std::holds_alternative<SettleLateEventsCommand>(command.action);
}

// Also of a command that was moved from.
bool is_told_by_a_page(Command const& command) {
  return std::holds_alternative<core::PageEvents>(command.action);
}

core::admin::Answer no_room() {
  return {boost::system::in_place_error,
          core::admin::Refusal{.kind = core::admin::Refusal::Kind::unavailable,
                               .sentence = "the ledger cannot be written now; nothing was changed"}};
}

// What a command is told that was not run, and does not have to be.
CommandResult unavailable(Command const& command) {
  if (std::holds_alternative<FindCommand>(command.action)) return ledger::FindResult(ledger::Unavailable{});
  if (std::holds_alternative<BeginCommand>(command.action)) return ledger::BeginResult(ledger::Unavailable{});
  if (std::holds_alternative<core::Decryption>(command.action)) {
    return ledger::RecordResult(ledger::Unavailable{});
  }
  if (std::holds_alternative<core::admin::Command>(command.action)) return no_room();
  if (std::holds_alternative<core::Resend>(command.action)) return std::optional<core::AttemptId>();
  return NotDone{};
}

void throw_if_refused(CommandResult const& result) {
  if (auto const* const refused = std::get_if<Refused>(&result)) {
    throw std::logic_error("the ledger refused a command: " + refused->reason);
  }
}

}  // namespace

template <class Handler>
class LedgerThread::HandlerWaiter final : public LedgerThread::Waiter {
 public:
  explicit HandlerWaiter(Handler handler)
      : executor_(asio::get_associated_executor(handler)),
        work_(asio::prefer(executor_, asio::execution::outstanding_work.tracked)),
        handler_(std::move(handler)) {}

  void post(CommandResult result) override {
    asio::post(executor_, [handler = std::move(handler_), result = std::move(result)]() mutable {
      std::move(handler)(std::move(result));
    });
  }

  void post_on_loop(std::function<void()> handler) override { asio::post(executor_, std::move(handler)); }

 private:
  using Executor = asio::associated_executor_t<Handler>;

  Executor executor_;
  // The loop does not run out of work while somebody waits for the ledger.
  std::decay_t<decltype(asio::prefer(std::declval<Executor>(), asio::execution::outstanding_work.tracked))>
      work_;
  Handler handler_;
};

LedgerThread::LedgerThread(LedgerFile file, core::Clock const& clock, OnFatal on_fatal, OnCommit on_commit)
    : file_(std::move(file)),
      clock_(clock),
      on_fatal_(std::move(on_fatal)),
      on_commit_(std::move(on_commit)),
      thread_([this] { run(); }) {}

LedgerThread::~LedgerThread() { close(); }

core::Task<CommandResult> LedgerThread::submit(Command command) {
  auto initiate = [this](auto handler, Command submitted) {
    using Handler = decltype(handler);
    Pending pending{.command = std::move(submitted),
                    .waiter = std::make_unique<HandlerWaiter<Handler>>(std::move(handler))};
    enqueue(std::move(pending));
  };
  return asio::async_initiate<asio::use_awaitable_t<> const, void(CommandResult)>(
      std::move(initiate), asio::use_awaitable, std::move(command));
}

void LedgerThread::enqueue(Pending pending) {
  count_of(pending).fetch_add(1);
  gathered_.push_back(std::move(pending));
  if (gathered_.size() == 1) hand_over_soon(*gathered_.front().waiter);
}

// As long as each turn of the loop brings more, for some turns, and the batch is not full.
void LedgerThread::hand_over_soon(Waiter& waiter) {
  waiter.post_on_loop([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired() || gathered_.empty()) return;
    bool const is_growing = gathered_.size() > std::exchange(gathered_before_, gathered_.size());
    bool const may_wait = turns_gathered_++ < gathering_turns_max;
    if (is_growing && may_wait && gathered_.size() < limits::ledger_batch_max) {
      hand_over_soon(*gathered_.front().waiter);
    } else {
      hand_over();
    }
  });
}

void LedgerThread::hand_over() {
  {
    std::scoped_lock const lock(mutex_);
    for (Pending& pending : gathered_)
      (is_told_by_a_page(pending.command) ? events_ : queue_).push_back(std::move(pending));
  }
  gathered_.clear();
  gathered_before_ = 0;
  turns_gathered_ = 0;
  wake_.notify_one();
}

std::atomic<std::size_t>& LedgerThread::count_of(Pending const& pending) {
  return is_told_by_a_page(pending.command) ? events_queued_ : queued_;
}

core::Task<ledger::FindResult> LedgerThread::find(core::Intent intent) {
  if (!writable()) {
    refused_.fetch_add(1);
    co_return ledger::Unavailable{};
  }
  Command command{.action = FindCommand{std::move(intent)}, .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return std::get<ledger::FindResult>(std::move(result));
}

core::Task<ledger::BeginResult> LedgerThread::begin(core::Intent intent) {
  if (!writable()) {
    refused_.fetch_add(1);
    co_return ledger::Unavailable{};
  }
  Command command{.action = BeginCommand{std::move(intent)}, .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return std::get<ledger::BeginResult>(std::move(result));
}

core::Task<std::optional<core::AttemptId>> LedgerThread::resend(core::Resend resend) {
  if (closed_) co_return std::nullopt;
  Command command{.action = std::move(resend), .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return std::get<std::optional<core::AttemptId>>(result);
}

// Reads only; an exchange that is settled next waits for it.
core::Task<ledger::Trace> LedgerThread::trace(core::CodeKey code_key) {
  if (closed_ || failed_) co_return ledger::Trace{};
  Command command{.action = TraceCommand{code_key}, .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  ledger::Trace trace;
  if (auto* const found = std::get_if<ledger::Trace>(&result)) trace = std::move(*found);
  co_return trace;
}

core::Task<> LedgerThread::settle(core::Settlement settlement) {
  if (closed_) throw std::logic_error("an attempt was settled after the ledger was closed");
  Command command{.action = std::move(settlement), .steady = clock_.steady()};
  CommandResult const result = co_await submit(std::move(command));
  throw_if_refused(result);
}

core::Task<ledger::RecordResult> LedgerThread::record_decryption(core::Decryption decryption) {
  if (!writable()) {
    refused_.fetch_add(1);
    co_return ledger::Unavailable{};
  }
  Command command{.action = std::move(decryption), .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return std::get<ledger::RecordResult>(std::move(result));
}

core::Task<bool> LedgerThread::rescue(core::Rescue rescue) {
  if (closed_) co_return false;
  Command command{.action = std::move(rescue), .steady = clock_.steady()};
  CommandResult const result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return std::holds_alternative<Settled>(result);
}

core::Task<core::admin::Answer> LedgerThread::administer(core::admin::Command command) {
  if (!writable()) co_return no_room();
  Command submitted{.action = std::move(command), .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(submitted));
  throw_if_refused(result);
  co_return std::get<core::admin::Answer>(std::move(result));
}

core::Task<CommandResult> LedgerThread::submit_if_writable(Command command) {
  if (!writable()) co_return NotDone{};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  co_return result;
}

core::Task<bool> LedgerThread::settle_if_writable(Command command) {
  CommandResult const result = co_await submit_if_writable(std::move(command));
  co_return std::holds_alternative<Settled>(result);
}

core::Task<bool> LedgerThread::add_login(core::LoginRow login) {
  return settle_if_writable({.action = std::move(login), .steady = clock_.steady()});
}

core::Task<bool> LedgerThread::change_sessions(core::SessionChanges changes) {
  return settle_if_writable({.action = std::move(changes), .steady = clock_.steady()});
}

core::Task<bool> LedgerThread::keep_token(core::StoredToken token) {
  return settle_if_writable({.action = std::move(token), .steady = clock_.steady()});
}

core::Task<core::Result<core::EventCounts, core::EventsRefused>> LedgerThread::record(
    core::PageEvents events) {
  if (events_queued_ >= limits::event_requests_queued_max) co_return core::EventsRefused::busy;
  Command command{.action = std::move(events), .steady = clock_.steady()};
  CommandResult const result = co_await submit_if_writable(std::move(command));
  if (auto const* const counted = std::get_if<EventsResult>(&result)) {
    if (*counted) events_accepted_.fetch_add((*counted)->accepted);
    co_return *counted;
  }
  co_return core::EventsRefused::unavailable;
}

core::Task<bool> LedgerThread::settle_late_events(std::vector<LateEvent> events) {
  return settle_if_writable(
      {.action = SettleLateEventsCommand{std::move(events)}, .steady = clock_.steady()});
}

core::Task<std::optional<core::UsageKept>> LedgerThread::record_usage(core::UsageSnapshot snapshot) {
  Command command{.action = std::move(snapshot), .steady = clock_.steady()};
  CommandResult result = co_await submit_if_writable(std::move(command));
  std::optional<core::UsageKept> kept;
  if (auto* const done = std::get_if<core::UsageKept>(&result)) kept = std::move(*done);
  co_return kept;
}

core::Task<bool> LedgerThread::keep_pushed(core::PushedUsage pushed) {
  return settle_if_writable({.action = std::move(pushed), .steady = clock_.steady()});
}

core::Task<bool> LedgerThread::change_alarms(core::AlarmChanges changes) {
  return settle_if_writable({.action = std::move(changes), .steady = clock_.steady()});
}

// Reads only: a rescue needs it on a full disk, too.
core::Task<std::optional<std::vector<core::SealedBytes>>> LedgerThread::session_keys(core::CallerKey user) {
  if (closed_ || failed_ || queued_ >= limits::ledger_queue_max) co_return std::nullopt;
  Command command{.action = SessionKeysCommand{user}, .steady = clock_.steady()};
  CommandResult result = co_await submit(std::move(command));
  throw_if_refused(result);
  std::optional<std::vector<core::SealedBytes>> keys;
  if (auto* const read = std::get_if<std::vector<core::SealedBytes>>(&result)) keys = std::move(*read);
  co_return keys;
}

bool LedgerThread::writable() const {
  return !closed_ && !failed_ && !full_ && queued_ < limits::ledger_queue_max;
}

void LedgerThread::request_maintenance() {
  Now const now{.wall = clock_.wall(), .steady = clock_.steady()};
  {
    std::scoped_lock const lock(mutex_);
    maintenance_ = now;
  }
  wake_.notify_one();
}

LedgerStatistics LedgerThread::statistics() const {
  bool const wal_truncated = wal_truncated_;
  core::SteadyTime const kept_since{core::SteadyTime::duration(wal_kept_since_)};
  return {.transactions = transactions_,
          .commands = commands_,
          .refused = refused_,
          .abandoned = abandoned_,
          .numbers_erased = numbers_erased_,
          .codes_purged = codes_purged_,
          .queued = queued_,
          .events_queued = events_queued_,
          .events_accepted = events_accepted_,
          .events_forgotten = events_forgotten_,
          .maintenance_refused = maintenance_refused_,
          .wal_truncated = wal_truncated,
          .wal_kept_since = wal_truncated ? std::nullopt : std::optional(kept_since)};
}

void LedgerThread::close() {
  if (!thread_.joinable()) return;
  closed_ = true;
  hand_over();
  {
    std::scoped_lock const lock(mutex_);
    closing_at_ = clock_.wall();
  }
  wake_.notify_one();
  thread_.join();
}

void LedgerThread::run() {
  bool last = false;
  while (!last && !failed_) {
    Turn turn = next_turn();
    last = turn.last;
    try {
      commit_held();
      if (!turn.batch.empty()) commit(std::move(turn.batch));
      if (turn.maintenance) maintain(*turn.maintenance);
      if (last) end();
    } catch (SqliteError const& error) {
      fail(error.what());
    }
  }
}

LedgerThread::Turn LedgerThread::next_turn() {
  Turn turn;
  std::unique_lock lock(mutex_);
  auto const has_work = [this] { return !queue_.empty() || !events_.empty() || maintenance_ || closing_at_; };
  if (held_.empty()) {
    wake_.wait(lock, has_work);
  } else {
    wake_.wait_for(lock, held_retry_time, has_work);
  }
  std::size_t const size = std::min(queue_.size(), limits::ledger_batch_max);
  auto const end = queue_.begin() + static_cast<std::ptrdiff_t>(size);
  turn.batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
  take_events(turn.batch);
  turn.maintenance = std::exchange(maintenance_, std::nullopt);
  turn.last = closing_at_ && queue_.empty() && events_.empty();
  return turn;
}

// Few of them: the codes before them are answered when all of the batch is durable.
void LedgerThread::take_events(Batch& batch) {
  std::size_t taken = 0;
  while (!events_.empty() && taken < limits::events_per_batch) {
    taken += std::get<core::PageEvents>(events_.front().command.action).events.size();
    batch.push_back(std::move(events_.front()));
    events_.pop_front();
  }
}

void LedgerThread::commit(Batch batch) {
  // What room a full disk has belongs to outcomes.
  if (full_) batch = shed_new_work(std::move(batch));
  if (batch.empty()) return;
  std::vector<Command> commands;
  commands.reserve(batch.size());
  for (Pending& pending : batch) commands.push_back(std::move(pending.command));
  try {
    auto const begun = std::chrono::steady_clock::now();
    std::vector<CommandResult> results = file_.ledger->apply(commands);
    if (on_commit_) on_commit_(batch.size(), std::chrono::steady_clock::now() - begun);
    transactions_.fetch_add(1);
    commands_.fetch_add(batch.size());
    answer(batch, std::move(results));
  } catch (SqliteError const& error) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch[i].command = std::move(commands[i]);
    if (!error.is_disk_full() && !error.is_busy()) {
      std::ranges::move(batch, std::back_inserter(unanswered_));
      throw;
    }
    if (error.is_disk_full()) full_ = true;
    shed(std::move(batch));
    if (error.is_disk_full() && file_.ballast.drop()) commit_held();
  }
}

LedgerThread::Batch LedgerThread::shed_new_work(Batch batch) {
  Batch new_work;
  Batch outcomes;
  for (Pending& pending : batch) {
    (is_new_work(pending.command) ? new_work : outcomes).push_back(std::move(pending));
  }
  shed(std::move(new_work));
  return outcomes;
}

void LedgerThread::shed(Batch batch) {
  for (Pending& pending : batch) {
    if (std::holds_alternative<core::Settlement>(pending.command.action)) {
      held_.push_back(std::move(pending));
      continue;
    }
    if (is_new_work(pending.command)) refused_.fetch_add(1);
    count_of(pending).fetch_sub(1);
    pending.waiter->post(unavailable(pending.command));
  }
}

void LedgerThread::commit_held() {
  if (!held_.empty()) commit(std::exchange(held_, {}));
}

void LedgerThread::answer(Batch& batch, std::vector<CommandResult> results) {
  struct Answers {
    Batch batch;
    std::vector<CommandResult> results;
  };
  for (Pending const& pending : batch) count_of(pending).fetch_sub(1);
  Waiter& first = *batch.front().waiter;
  auto answers = std::make_shared<Answers>(Answers{.batch = std::move(batch), .results = std::move(results)});
  first.post_on_loop([answers = std::move(answers)] {
    for (std::size_t i = 0; i < answers->batch.size(); ++i)
      answers->batch[i].waiter->post(std::move(answers->results[i]));
  });
}

void LedgerThread::maintain(Now now) {
  try {
    Maintenance const done = file_.ledger->maintain(now);
    abandoned_.fetch_add(static_cast<std::uint64_t>(done.abandoned));
    numbers_erased_.fetch_add(static_cast<std::uint64_t>(done.numbers_erased));
    codes_purged_.fetch_add(static_cast<std::uint64_t>(done.codes_purged));
    events_forgotten_.fetch_add(static_cast<std::uint64_t>(done.events_forgotten));
    if (!done.refused.empty()) maintenance_refused_.fetch_add(1);
    if (!done.more) note_wal(done.wal_truncated, now.steady);
    if (full_ && held_.empty() && file_.ballast.take()) full_ = false;
    if (!done.more) return;
    std::scoped_lock const lock(mutex_);
    if (!maintenance_) maintenance_ = now;
  } catch (SqliteError const& error) {
    // Nothing was done; the next pass comes soon. What the schema refuses is no failure of the disk.
    if (error.is_constraint()) maintenance_refused_.fetch_add(1);
    if (!error.is_disk_full() && !error.is_busy() && !error.is_constraint()) throw;
  }
}

void LedgerThread::note_wal(bool truncated, core::SteadyTime now) {
  if (!truncated && wal_truncated_) wal_kept_since_ = now.time_since_epoch().count();
  wal_truncated_ = truncated;
}

void LedgerThread::end() {
  if (!held_.empty()) {
    fail("the disk is full: " + std::to_string(held_.size()) + " outcomes could not be recorded");
    return;
  }
  core::WallTime at;
  {
    std::scoped_lock const lock(mutex_);
    at = *closing_at_;
  }
  file_.ledger->end(at);
}

void LedgerThread::fail(std::string const& reason) {
  failed_ = true;
  if (on_fatal_) on_fatal_(reason);
}

}  // namespace onetap::storage
