#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/billing/daily_caps.hpp"
#include "storage/alarm_table.hpp"
#include "storage/bookkeeper.hpp"
#include "storage/event_table.hpp"
#include "storage/ledger_command.hpp"
#include "storage/pack_book.hpp"
#include "storage/session_table.hpp"
#include "storage/sqlite.hpp"
#include "storage/token_table.hpp"
#include "storage/usage_table.hpp"

namespace onetap::storage {

struct LedgerSettings {
  std::chrono::milliseconds replay_window{};
  Prices prices;
  std::optional<std::chrono::milliseconds> events_keep{};  // none: events are not forgotten
  std::optional<core::SessionLife> session_life{};         // none: sessions are neither loaded nor forgotten
  bool counts_today = false;                               // whether a start looks at all codes of the day
};

/// What a start found of an earlier run.
struct Recovery {
  int attempts_in_doubt = 0;
  // Of a backup: codes younger than it have no row, so nothing may be exchanged until they are dead.
  std::optional<core::SteadyTime> refuse_until{};
  // Those that live, most recently used first; at most limits::sessions_max. For whoever starts to take.
  std::vector<core::SessionRow> sessions{};
  std::vector<core::StoredToken> tokens{};       // that still live
  std::vector<core::CodesOfUser> codes_today{};  // of China's day, by mini program and user; see counts_today
  std::vector<core::LastUsage> last_usage{};     // WeChat's last word
  std::vector<core::Alarm> alarms{};             // that are on, and the last that ended; the newest last
};

/// What one pass of maintenance did.
struct Maintenance {
  int abandoned = 0;
  int numbers_erased = 0;
  int codes_purged = 0;
  int packs_expired = 0;
  std::int64_t events_settled = 0;
  std::int64_t events_forgotten = 0;
  std::string refused{};  // why the upkeep of sessions or events was refused; the rest was done
  bool more = false;      // there was more to do than one pass does
  bool wal_truncated =
      true;  // after the last pass; false: a reader holds old pages, erased numbers among them
};

/// The ledger on SQLite, synchronous, for one thread: commands in, results out, a transaction a batch.
/// Throws SqliteError when a batch could not be written; then nothing of it was, unless the error is
/// neither is_disk_full() nor is_busy().
class SqliteLedger {
 public:
  /// `connection` writes, and has been migrated.
  SqliteLedger(Connection connection, LedgerSettings settings);
  SqliteLedger(SqliteLedger const&) = delete;
  SqliteLedger& operator=(SqliteLedger const&) = delete;
  ~SqliteLedger() = default;

  /// Once, before anything is served: opens a run, puts what earlier runs left open in doubt, makes it
  /// all durable.
  Recovery start(Now now);

  /// Runs the commands in order in one transaction; a refused one does not disturb the others.
  [[nodiscard]] std::vector<CommandResult> apply(std::span<Command const> batch);

  /// Abandons what was not presented again, erases numbers past the replay window, forgets dead codes (at
  /// most some hundred rows); settles and forgets events, as many; expires packs whose time is over, and
  /// gives those that began what the overdraft took for them.
  Maintenance maintain(Now now);

  /// Closes the run and truncates the WAL.
  void end(core::WallTime at);

  [[nodiscard]] std::int64_t run_id() const { return run_; }

 private:
  struct Row;          // of a live code
  struct OpenAttempt;  // of a consumption that is being sent
  struct Again {};     // retryable, and the presenter's to try
  using Judgement = std::variant<Again, core::ledger::Stored, core::ledger::NotYours>;

  // A code or a number that is due later.
  struct Due {
    core::CodeKey code_key;
    core::SteadyTime since;  // seen, or settled
  };

  struct Abandonment {
    std::size_t abandoned = 0;
    std::vector<std::int64_t> settled;  // nobody's to present again
  };

  struct Purge {
    std::size_t looked_at = 0;
    std::vector<Due> kept;
  };

  [[nodiscard]] CommandResult run(Command const& command);
  [[nodiscard]] core::ledger::FindResult find(core::Intent const& intent, core::SteadyTime steady);
  [[nodiscard]] core::ledger::BeginResult begin(core::Intent const& intent, core::SteadyTime steady);
  [[nodiscard]] core::AttemptId insert(core::Intent const& intent);
  [[nodiscard]] core::AttemptId begin_again(core::Intent const& intent, Row const& row);
  [[nodiscard]] std::optional<core::AttemptId> resend(core::Resend const& resend);
  [[nodiscard]] core::admin::Answer administer(core::admin::Command const& command);
  [[nodiscard]] core::admin::Answer administer_in_savepoint(core::admin::Command const& command);
  [[nodiscard]] CommandResult record(core::UsageSnapshot const& snapshot);
  [[nodiscard]] std::vector<core::CodesOfUser> codes_since(core::WallTime time);
  [[nodiscard]] CommandResult settle(core::Settlement const& settlement, core::SteadyTime steady);
  [[nodiscard]] core::ledger::RecordResult record(core::Decryption const& decryption,
                                                  core::SteadyTime steady);
  [[nodiscard]] CommandResult rescue(core::Rescue const& rescue, core::SteadyTime steady);
  [[nodiscard]] CommandResult rescue_in_savepoint(core::Rescue const& rescue, core::SteadyTime steady);

  [[nodiscard]] std::optional<Row> find_row(core::CodeKey const& code_key);
  [[nodiscard]] std::optional<OpenAttempt> find_open(core::AttemptId attempt);
  [[nodiscard]] std::optional<OpenAttempt> read_attempt(std::int64_t consumption);
  [[nodiscard]] Judgement judge(Row const& row, core::CodeKey const& code_key,
                                std::optional<core::CallerKey> const& caller, core::SteadyTime steady) const;
  [[nodiscard]] core::SteadyTime first_seen(std::int64_t consumption, std::int64_t created_at_ms,
                                            Now now) const;
  [[nodiscard]] bool is_abandoned(Row const& row, Now now) const;
  [[nodiscard]] bool is_past_window(core::CodeKey const& code_key, core::SteadyTime steady) const;
  void note_settled(OpenAttempt const& open, core::Settlement const& settlement, core::SteadyTime steady);

  void put_in_doubt(std::int64_t consumption, std::int64_t app, core::Kind kind, core::Cause cause,
                    core::WallTime at);
  void write_charge(std::string_view entry_kind, Charge const& charge, std::int64_t consumption,
                    std::string_view to_account, core::WallTime at);
  void write_refusal(core::AttemptId attempt, OpenAttempt const& open, core::Cause cause,
                     std::optional<int> errcode, std::string_view rid, core::WallTime closed_at);

  /// A step whose refusal keeps no other from being done.
  void attempt(std::function<void()> const& step, std::string& refused);
  void end_refusal(core::WallTime at);
  [[nodiscard]] Abandonment abandon(Now now);
  [[nodiscard]] std::size_t erase_numbers(core::SteadyTime steady);
  [[nodiscard]] Purge purge_codes(Now now);

  Connection connection_;
  LedgerSettings settings_;
  std::chrono::milliseconds keep_time_;  // of a live code
  PackBook packs_;
  Bookkeeper bookkeeper_;
  SessionTable sessions_;
  TokenTable tokens_;
  UsageTable usage_;
  EventTable events_;
  AlarmTable alarms_;
  std::optional<core::SteadyTime> refuse_until_;
  std::int64_t run_ = 0;

  bool wal_truncated_ = true;
  std::deque<Due> codes_;    // by the time they were seen
  std::deque<Due> numbers_;  // by the time they were settled
  // When a code that is being sent, or may be sent again, was first seen.
  std::unordered_map<std::int64_t, core::SteadyTime> unsettled_;
  // Of the batch that is not committed yet.
  std::vector<Due> new_codes_;
  std::vector<Due> new_numbers_;

  Statement find_live_code_;
  Statement begin_insert_consumption_;
  Statement begin_insert_live_code_;
  Statement begin_again_;
  Statement begin_take_up_;
  Statement read_attempt_;
  Statement resend_consumption_;
  Statement insert_attempt_;
  Statement settle_consumption_;
  Statement settle_live_code_;
  Statement doubt_consumption_;
  Statement insert_decryption_;
  Statement insert_live_number_;
  Statement rescue_consumption_;
  Statement rescue_live_code_;
  Statement insert_entry_;
  Statement insert_run_;
  Statement end_run_;
  Statement list_live_codes_;
  Statement list_retryable_;
  Statement erase_number_;
  Statement purge_live_code_;
};

}  // namespace onetap::storage
