#include "storage/sqlite_ledger.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"

namespace onetap::storage {
namespace {

namespace limits = core::limits;
namespace ledger = core::ledger;
using core::unix_ms;

// Rows of each sort in one pass of maintenance, so that no T1 or T2 waits for long.
constexpr std::size_t maintenance_rows_max = 256;

// design/ledger.md, "Where uniqueness lives".
std::chrono::milliseconds keep_time(std::chrono::milliseconds replay_window) {
  using std::chrono::milliseconds;
  return std::max<milliseconds>(limits::live_code_keep_min, replay_window + std::chrono::minutes(10));
}

core::Kind kind_from(std::string_view text) {
  return text == "realtime" ? core::Kind::realtime : core::Kind::quick;
}

// The schema lets no other text in.
core::State state_in(Rows const& rows, int column) { return core::state_from(rows.text(column)).value(); }

core::CodeKey code_key_in(Rows const& rows, int column) {
  core::CodeKey key;
  std::vector<unsigned char> const bytes = rows.bytes(column);
  if (bytes.size() == key.digest.size()) std::ranges::copy(bytes, key.digest.begin());
  return key;
}

std::optional<int> errcode_in(Rows const& rows, int column) {
  if (rows.is_null(column)) return std::nullopt;
  return static_cast<int>(rows.integer(column));
}

// What an earlier run left is as old as the wall clock says; within a run steady time alone counts.
core::SteadyTime steady_time_of(std::int64_t past_ms, Now now, std::chrono::milliseconds window) {
  std::chrono::milliseconds const age(unix_ms(now.wall) - past_ms);
  return now.steady - std::clamp<std::chrono::milliseconds>(age, std::chrono::milliseconds(0), window);
}

bool is_outcome(core::State state) {
  return state == core::State::ok || state == core::State::rejected || state == core::State::retryable ||
         state == core::State::in_doubt;
}

}  // namespace

struct SqliteLedger::Row {
  std::int64_t id = 0;
  core::State state = core::State::sending;
  core::Cause cause = core::Cause::none;
  int attempts = 0;
  std::int64_t app = 0;
  core::Kind kind = core::Kind::quick;
  std::optional<int> errcode;
  std::string rid;
  std::int64_t created_at = 0;
  std::int64_t finished_at = 0;
  std::optional<core::CallerKey> caller;
  core::SealedBytes sealed_number;
  core::Reason reason = core::Reason::none;
  std::string request_id;
};

struct SqliteLedger::OpenAttempt {
  core::State state = core::State::sending;
  int number = 0;
  std::int64_t app = 0;
  core::Kind kind = core::Kind::quick;
  std::int64_t run = 0;
  std::int64_t opened_at = 0;
  std::int64_t created_at = 0;  // of the consumption
  core::CodeKey code_key;
};

SqliteLedger::SqliteLedger(Connection connection, LedgerSettings settings)
    : connection_(std::move(connection)),
      settings_(settings),
      keep_time_(keep_time(settings.replay_window)),
      packs_(connection_, settings.prices),
      bookkeeper_(connection_, settings.prices),
      sessions_(connection_),
      tokens_(connection_),
      usage_(connection_, bookkeeper_),
      events_(connection_),
      alarms_(connection_),
      find_live_code_(connection_, hot_sql("find_live_code")),
      begin_insert_consumption_(connection_, hot_sql("begin_insert_consumption")),
      begin_insert_live_code_(connection_, hot_sql("begin_insert_live_code")),
      begin_again_(connection_, hot_sql("begin_again")),
      begin_take_up_(connection_, hot_sql("begin_take_up")),
      read_attempt_(connection_, hot_sql("read_attempt")),
      resend_consumption_(connection_, hot_sql("resend_consumption")),
      insert_attempt_(connection_, hot_sql("insert_attempt")),
      settle_consumption_(connection_, hot_sql("settle_consumption")),
      settle_live_code_(connection_, hot_sql("settle_live_code")),
      doubt_consumption_(connection_, hot_sql("doubt_consumption")),
      insert_decryption_(connection_, hot_sql("insert_decryption")),
      insert_live_number_(connection_, hot_sql("insert_live_number")),
      rescue_consumption_(connection_, hot_sql("rescue_consumption")),
      rescue_live_code_(connection_, hot_sql("rescue_live_code")),
      insert_entry_(connection_, hot_sql("insert_entry")),
      insert_run_(connection_, hot_sql("insert_run")),
      end_run_(connection_, hot_sql("end_run")),
      list_live_codes_(connection_, hot_sql("list_live_codes")),
      list_retryable_(connection_, hot_sql("list_retryable")),
      erase_number_(connection_, hot_sql("erase_number")),
      purge_live_code_(connection_, hot_sql("purge_live_code")) {}

Recovery SqliteLedger::start(Now now) {
  struct Open {
    std::int64_t id = 0;
    std::int64_t app = 0;
    core::Kind kind = core::Kind::quick;
  };
  std::vector<Open> open_attempts;
  Transaction transaction(connection_);
  insert_run_.run({static_cast<std::int64_t>(::getpid()), unix_ms(now.wall)});
  run_ = connection_.last_insert_rowid();
  {
    Rows rows = list_live_codes_.query({});
    while (rows.next()) {
      core::CodeKey const code_key = code_key_in(rows, 0);
      codes_.push_back({.code_key = code_key, .since = now.steady});
      if (rows.integer(7) != 0) {
        numbers_.push_back(
            {.code_key = code_key, .since = steady_time_of(rows.integer(6), now, settings_.replay_window)});
      }
      if (state_in(rows, 2) == core::State::sending) {
        open_attempts.push_back(
            {.id = rows.integer(1), .app = rows.integer(3), .kind = kind_from(rows.text(4))});
      }
    }
  }
  std::ranges::sort(numbers_, {}, &Due::since);
  {
    Rows rows = list_retryable_.query({});
    while (rows.next())
      unsettled_.emplace(rows.integer(0), steady_time_of(rows.integer(1), now, limits::code_life));
  }
  for (Open const& open : open_attempts) {
    put_in_doubt(open.id, open.app, open.kind, core::Cause::crash, now.wall);
  }
  packs_.flush();
  Recovery found{.attempts_in_doubt = static_cast<int>(open_attempts.size())};
  if (settings_.session_life)
    found.sessions = sessions_.load(*settings_.session_life, now.wall, limits::sessions_max);
  found.tokens = tokens_.load(now.wall);
  found.last_usage = load_last_usage(connection_, now.wall);
  found.alarms = load_alarms(connection_);
  if (settings_.counts_today) found.codes_today = codes_since(core::china_midnight(now.wall));
  if (connection_.integer("SELECT count(*) FROM meta AS m WHERE m.copied_at IS NOT NULL") > 0) {
    refuse_until_ = now.steady + limits::restored_refusal_time;
  }
  transaction.commit();
  // After a kill the WAL may hold commits that were never synced: the commit above synced the file.
  connection_.checkpoint_truncate();
  found.refuse_until = refuse_until_;
  return found;
}

std::vector<core::CodesOfUser> SqliteLedger::codes_since(core::WallTime time) {
  Statement count(connection_, hot_sql("count_codes_since"));
  std::vector<core::CodesOfUser> found;
  Rows rows = count.query({unix_ms(time)});
  while (rows.next()) {
    core::CodesOfUser codes{.appid = rows.text(0), .user = std::nullopt, .codes = rows.integer(2)};
    if (!rows.is_null(1)) codes.user = core::CallerKey{code_key_in(rows, 1).digest};
    found.push_back(std::move(codes));
  }
  return found;
}

std::vector<CommandResult> SqliteLedger::apply(std::span<Command const> batch) {
  std::vector<CommandResult> results;
  results.reserve(batch.size());
  new_codes_.clear();
  new_numbers_.clear();
  try {
    Transaction transaction(connection_);
    for (Command const& command : batch) results.push_back(run(command));
    packs_.flush();
    transaction.commit();
  } catch (SqliteError const&) {
    packs_.reload();
    throw;
  }
  codes_.insert(codes_.end(), new_codes_.begin(), new_codes_.end());
  numbers_.insert(numbers_.end(), new_numbers_.begin(), new_numbers_.end());
  return results;
}

CommandResult SqliteLedger::run(Command const& command) {
  if (auto const* const finding = std::get_if<FindCommand>(&command.action))
    return find(finding->intent, command.steady);
  if (auto const* const acting = std::get_if<core::admin::Command>(&command.action))
    return administer(*acting);
  if (auto const* const asking = std::get_if<SessionKeysCommand>(&command.action))
    return sessions_.keys_of(asking->user);
  if (auto const* const rescuing = std::get_if<core::Rescue>(&command.action))
    return rescue(*rescuing, command.steady);
  if (auto const* const tracing = std::get_if<TraceCommand>(&command.action))
    return events_.trace(tracing->code_key);
  // An app stays known when the command that brought it is undone.
  if (auto const* const telling = std::get_if<core::PageEvents>(&command.action)) {
    static_cast<void>(packs_.app(telling->appid, telling->received));
  }
  if (auto const* const login = std::get_if<core::LoginRow>(&command.action)) {
    static_cast<void>(packs_.app(login->session.appid, login->session.opened));
  }
  if (auto const* const token = std::get_if<core::StoredToken>(&command.action)) {
    tokens_.put(*token, packs_.app(token->appid, token->fetched));
    return Settled{};
  }
  if (auto const* const pushed = std::get_if<core::PushedUsage>(&command.action)) {
    usage_.keep(*pushed, packs_.app(pushed->appid, pushed->at));
    return Settled{};
  }
  if (auto const* const snapshot = std::get_if<core::UsageSnapshot>(&command.action)) {
    return record(*snapshot);
  }
  if (auto const* const beginning = std::get_if<BeginCommand>(&command.action)) {
    static_cast<void>(packs_.app(beginning->intent.appid, beginning->intent.at));
  }
  if (auto const* const decryption = std::get_if<core::Decryption>(&command.action)) {
    static_cast<void>(packs_.app(decryption->appid, decryption->at));
  }
  try {
    Savepoint savepoint(connection_);
    CommandResult result;
    if (auto const* const beginning = std::get_if<BeginCommand>(&command.action)) {
      result = begin(beginning->intent, command.steady);
    } else if (auto const* const resending = std::get_if<core::Resend>(&command.action)) {
      result = resend(*resending);
    } else if (auto const* const login = std::get_if<core::LoginRow>(&command.action)) {
      sessions_.add(*login, packs_.app(login->session.appid, login->session.opened));
      result = Settled{};
    } else if (auto const* const changes = std::get_if<core::SessionChanges>(&command.action)) {
      sessions_.change(*changes);
      result = Settled{};
    } else if (auto const* const decryption = std::get_if<core::Decryption>(&command.action)) {
      result = record(*decryption, command.steady);
    } else if (auto const* const telling = std::get_if<core::PageEvents>(&command.action)) {
      result = events_.record(*telling, packs_.app(telling->appid, telling->received));
    } else if (auto const* const late = std::get_if<SettleLateEventsCommand>(&command.action)) {
      events_.settle_late(late->events);
      result = Settled{};
    } else if (auto const* const changes_of_alarms = std::get_if<core::AlarmChanges>(&command.action)) {
      alarms_.change(*changes_of_alarms);
      result = Settled{};
    } else {
      result = settle(std::get<core::Settlement>(command.action), command.steady);
    }
    savepoint.release();
    return result;
  } catch (SqliteError const& error) {
    if (!error.is_constraint()) throw;
    return Refused{error.what()};
  }
}

CommandResult SqliteLedger::record(core::UsageSnapshot const& snapshot) {
  std::int64_t const app = packs_.app(snapshot.appid, snapshot.as_of);
  packs_.flush();
  CommandResult result;
  try {
    Savepoint savepoint(connection_);
    result = usage_.record(snapshot, app);
    savepoint.release();
  } catch (SqliteError const& error) {
    if (!error.is_constraint()) throw;
    result = Refused{error.what()};
  }
  packs_.reload();
  return result;
}

core::admin::Answer SqliteLedger::administer(core::admin::Command const& command) {
  packs_.flush();
  core::admin::Answer answer = administer_in_savepoint(command);
  packs_.reload();
  // What was erased, or sealed with another key, is gone when the WAL is, too: the next maintenance sees
  // to it.
  if (answer && (std::holds_alternative<core::admin::ErasePerson>(command.act) ||
                 std::holds_alternative<core::admin::RotateKey>(command.act))) {
    wal_truncated_ = false;
  }
  return answer;
}

core::admin::Answer SqliteLedger::administer_in_savepoint(core::admin::Command const& command) {
  try {
    Savepoint savepoint(connection_);
    std::int64_t app = 0;
    auto const* const adding = std::get_if<core::admin::AddPack>(&command.act);
    if (adding != nullptr && !adding->appid.empty()) app = packs_.app(adding->appid, command.at);
    core::admin::Answer answer = bookkeeper_.run(command, app);
    if (answer) savepoint.release();
    return answer;
  } catch (SqliteError const& error) {
    if (!error.is_constraint()) throw;
    return {boost::system::in_place_error,
            core::admin::Refusal{.kind = core::admin::Refusal::Kind::conflict, .sentence = error.what()}};
  }
}

ledger::FindResult SqliteLedger::find(core::Intent const& intent, core::SteadyTime steady) {
  std::optional<Row> row = find_row(intent.code_key);
  if (!row) return ledger::Fresh{};
  if (is_abandoned(*row, {.wall = intent.at, .steady = steady})) {
    row->state = core::State::in_doubt;
    row->cause = core::Cause::abandoned;
  }
  Judgement judgement = judge(*row, intent.code_key, intent.caller, steady);
  if (auto* const stored = std::get_if<ledger::Stored>(&judgement)) return std::move(*stored);
  if (auto const* const not_yours = std::get_if<ledger::NotYours>(&judgement)) return *not_yours;
  return ledger::Fresh{};
}

ledger::BeginResult SqliteLedger::begin(core::Intent const& intent, core::SteadyTime steady) {
  std::optional<Row> row = find_row(intent.code_key);
  if (!row) {
    core::AttemptId const attempt = insert(intent);
    unsettled_.insert_or_assign(attempt.consumption, steady);
    new_codes_.push_back({.code_key = intent.code_key, .since = steady});
    return ledger::Started{attempt};
  }
  if (is_abandoned(*row, {.wall = intent.at, .steady = steady})) {
    put_in_doubt(row->id, row->app, row->kind, core::Cause::abandoned, intent.at);
    row->state = core::State::in_doubt;
    row->cause = core::Cause::abandoned;
  }
  Judgement judgement = judge(*row, intent.code_key, intent.caller, steady);
  if (auto* const stored = std::get_if<ledger::Stored>(&judgement)) return std::move(*stored);
  if (auto const* const not_yours = std::get_if<ledger::NotYours>(&judgement)) return *not_yours;
  return ledger::Started{begin_again(intent, *row)};
}

std::optional<SqliteLedger::Row> SqliteLedger::find_row(core::CodeKey const& code_key) {
  Rows rows = find_live_code_.query({code_key.digest});
  if (!rows.next()) return std::nullopt;
  Row row;
  row.id = rows.integer(0);
  row.state = state_in(rows, 1);
  row.cause = core::cause_from(rows.text(2)).value();
  row.attempts = static_cast<int>(rows.integer(3));
  row.app = rows.integer(4);
  row.kind = kind_from(rows.text(5));
  row.errcode = errcode_in(rows, 6);
  row.rid = rows.text(7);
  row.created_at = rows.integer(8);
  row.finished_at = rows.integer(9);
  if (!rows.is_null(10)) row.caller = core::CallerKey{code_key_in(rows, 10).digest};
  row.sealed_number = rows.bytes(11);
  row.request_id = rows.text(13);
  row.reason = core::reason_from(rows.text(12)).value_or(core::Reason::unknown);
  return row;
}

// Its five minutes run from when it first came: it can't be younger than that.
core::SteadyTime SqliteLedger::first_seen(std::int64_t consumption, std::int64_t created_at_ms,
                                          Now now) const {
  auto const found = unsettled_.find(consumption);
  return found != unsettled_.end() ? found->second : steady_time_of(created_at_ms, now, limits::code_life);
}

bool SqliteLedger::is_abandoned(Row const& row, Now now) const {
  return row.state == core::State::retryable &&
         now.steady - first_seen(row.id, row.created_at, now) >= limits::code_life;
}

// What is past its window is erased by the next maintenance; until then it stands in front.
bool SqliteLedger::is_past_window(core::CodeKey const& code_key, core::SteadyTime steady) const {
  for (Due const& due : numbers_) {
    if (steady - due.since < settings_.replay_window) return false;
    if (due.code_key == code_key) return true;
  }
  return false;
}

SqliteLedger::Judgement SqliteLedger::judge(Row const& row, core::CodeKey const& code_key,
                                            std::optional<core::CallerKey> const& caller,
                                            core::SteadyTime steady) const {
  using core::State;
  bool const same_caller = row.caller && caller && *row.caller == *caller;
  if (row.state == State::sending)
    return ledger::NotYours{.in_progress = true, .consumption = row.id, .request_id = row.request_id};
  core::WallTime const finished = core::wall_time_of_unix_ms(row.finished_at);
  if (row.state == State::retryable) {
    if (same_caller || !row.caller) return Again{};
    return ledger::NotYours{.consumption = row.id, .request_id = row.request_id, .at = finished};
  }
  ledger::NotYours not_yours{.charged = row.state == State::ok || row.state == State::lost,
                             .consumption = row.id,
                             .request_id = row.request_id,
                             .at = finished};
  if (!same_caller) return not_yours;
  bool const is_gone = row.sealed_number.empty() || is_past_window(code_key, steady);
  if (row.state == State::ok && is_gone) return not_yours;
  return ledger::Stored{.consumption = row.id,
                        .state = row.state,
                        .cause = row.cause,
                        .errcode = row.errcode,
                        .rid = row.rid,
                        .sealed_number = row.sealed_number,
                        .kind = row.kind,
                        .reason = row.reason};
}

core::AttemptId SqliteLedger::insert(core::Intent const& intent) {
  std::int64_t const at_ms = unix_ms(intent.at);
  Parameter user = nullptr;
  if (intent.user) user = intent.user->digest;
  begin_insert_consumption_.run({packs_.app(intent.appid, intent.at), core::to_string(intent.kind), run_,
                                 intent.request_id, intent.code_key.digest, null_if_empty(intent.scene),
                                 null_if_empty(intent.out_id), core::to_string(intent.client_env), at_ms,
                                 user});
  std::int64_t const consumption = connection_.last_insert_rowid();
  Parameter caller = nullptr;
  if (intent.caller) caller = intent.caller->digest;
  begin_insert_live_code_.run({intent.code_key.digest, consumption, caller, at_ms});
  return {.consumption = consumption, .number = 1};
}

core::AttemptId SqliteLedger::begin_again(core::Intent const& intent, Row const& row) {
  begin_again_.run({row.id, run_, unix_ms(intent.at)});
  if (!row.caller && intent.caller) begin_take_up_.run({intent.code_key.digest, intent.caller->digest});
  return {.consumption = row.id, .number = row.attempts + 1};
}

std::optional<SqliteLedger::OpenAttempt> SqliteLedger::find_open(core::AttemptId attempt) {
  std::optional<OpenAttempt> open = read_attempt(attempt.consumption);
  if (open && (open->state != core::State::sending || open->number != attempt.number)) return std::nullopt;
  return open;
}

std::optional<SqliteLedger::OpenAttempt> SqliteLedger::read_attempt(std::int64_t consumption) {
  Rows rows = read_attempt_.query({consumption});
  if (!rows.next()) return std::nullopt;
  OpenAttempt open;
  open.state = state_in(rows, 1);
  open.number = static_cast<int>(rows.integer(3));
  open.app = rows.integer(4);
  open.kind = kind_from(rows.text(5));
  open.run = rows.integer(6);
  open.opened_at = rows.integer(7);
  open.code_key = code_key_in(rows, 8);
  open.created_at = rows.integer(9);
  return open;
}

std::optional<core::AttemptId> SqliteLedger::resend(core::Resend const& resend) {
  std::optional<OpenAttempt> const open = find_open(resend.refused);
  if (!open) return std::nullopt;
  write_refusal(resend.refused, *open, core::Cause::token_refused, resend.errcode, resend.rid, resend.at);
  resend_consumption_.run({resend.refused.consumption, run_, unix_ms(resend.at)});
  return core::AttemptId{.consumption = resend.refused.consumption, .number = resend.refused.number + 1};
}

CommandResult SqliteLedger::settle(core::Settlement const& settlement, core::SteadyTime steady) {
  std::optional<OpenAttempt> const open = find_open(settlement.attempt);
  if (!open) return Refused{"the attempt that was settled is not open"};
  if (!is_outcome(settlement.state)) return Refused{"no attempt ends in this state"};
  std::int64_t const consumption = settlement.attempt.consumption;
  bool const is_ok = settlement.state == core::State::ok;
  bool const is_charged = is_ok || settlement.state == core::State::in_doubt;

  Charge charge;
  Parameter pack = nullptr;
  Parameter micro_yuan = nullptr;
  if (is_charged) {
    charge = packs_.next_unit(open->app, open->kind, settlement.at);
    pack = charge.pack;
    micro_yuan = charge.micro_yuan;
  }
  settle_consumption_.run({consumption, core::to_string(settlement.state), core::to_string(settlement.cause),
                           settlement.errcode, null_if_empty(settlement.rid),
                           null_if_empty(settlement.phone_mask), settlement.phone_key, pack, micro_yuan,
                           unix_ms(settlement.at), null_if_empty(core::to_string(settlement.reason))});
  if (is_ok) settle_live_code_.run({open->code_key.digest, settlement.sealed_number});
  if (settlement.state == core::State::retryable) {
    write_refusal(settlement.attempt, *open, settlement.cause, settlement.errcode, settlement.rid,
                  settlement.at);
  }
  if (is_charged) {
    write_charge(is_ok ? "use" : "doubt", charge, consumption, is_ok ? "used" : "doubt", settlement.at);
  }
  if (is_ok) new_numbers_.push_back({.code_key = open->code_key, .since = steady});
  note_settled(*open, settlement, steady);
  return Settled{};
}

void SqliteLedger::note_settled(OpenAttempt const& open, core::Settlement const& settlement,
                                core::SteadyTime steady) {
  std::int64_t const consumption = settlement.attempt.consumption;
  if (settlement.state != core::State::retryable) {
    unsettled_.erase(consumption);
    return;
  }
  unsettled_.emplace(consumption,
                     first_seen(consumption, open.created_at, {.wall = settlement.at, .steady = steady}));
}

ledger::RecordResult SqliteLedger::record(core::Decryption const& decryption, core::SteadyTime steady) {
  if (std::optional<Row> const row = find_row(decryption.blob_key)) {
    Judgement judgement = judge(*row, decryption.blob_key, decryption.user, steady);
    if (auto* const stored = std::get_if<ledger::Stored>(&judgement)) return std::move(*stored);
    if (auto const* const not_yours = std::get_if<ledger::NotYours>(&judgement)) return *not_yours;
    return ledger::NotYours{};
  }
  std::int64_t const at_ms = unix_ms(decryption.at);
  std::int64_t const app = packs_.app(decryption.appid, decryption.at);
  Charge const charge = packs_.next_unit(app, decryption.kind, decryption.at);
  insert_decryption_.run({app, core::to_string(decryption.kind), run_, decryption.request_id,
                          decryption.blob_key.digest, decryption.user.digest, decryption.phone_key,
                          decryption.phone_mask, core::to_string(decryption.client_env), charge.pack,
                          charge.micro_yuan, at_ms});
  std::int64_t const consumption = connection_.last_insert_rowid();
  insert_live_number_.run(
      {decryption.blob_key.digest, consumption, decryption.user.digest, at_ms, decryption.sealed_number});
  write_charge("use", charge, consumption, "used", decryption.at);
  Due const due{.code_key = decryption.blob_key, .since = steady};
  new_codes_.push_back(due);
  new_numbers_.push_back(due);
  return ledger::Recorded{consumption};
}

// Rare; the bookkeeper moves the unit, and what it owes the packs with it.
CommandResult SqliteLedger::rescue(core::Rescue const& rescue, core::SteadyTime steady) {
  packs_.flush();
  CommandResult result = rescue_in_savepoint(rescue, steady);
  packs_.reload();
  if (!std::holds_alternative<Settled>(result)) return result;
  Due due{.code_key = rescue.code_key, .since = steady};
  new_numbers_.push_back(due);
  due.code_key = rescue.blob_key;
  new_numbers_.push_back(due);
  new_codes_.push_back(due);
  return result;
}

CommandResult SqliteLedger::rescue_in_savepoint(core::Rescue const& rescue, core::SteadyTime steady) {
  try {
    Savepoint savepoint(connection_);
    std::optional<Row> const row = find_row(rescue.code_key);
    if (!row || row->caller != rescue.caller || find_row(rescue.blob_key)) return NotDone{};
    if (is_abandoned(*row, {.wall = rescue.at, .steady = steady})) {
      put_in_doubt(row->id, row->app, row->kind, core::Cause::abandoned, rescue.at);
      packs_.flush();
    } else if (row->state != core::State::in_doubt) {
      return NotDone{};
    }
    std::int64_t const at_ms = unix_ms(rescue.at);
    rescue_consumption_.run({row->id, rescue.phone_mask, rescue.phone_key, at_ms});
    rescue_live_code_.run({rescue.code_key.digest, rescue.sealed_number, at_ms});
    insert_live_number_.run(
        {rescue.blob_key.digest, row->id, rescue.caller.digest, at_ms, rescue.sealed_blob_number});
    bookkeeper_.book_rescue(row->id, rescue.at);
    savepoint.release();
    return Settled{};
  } catch (SqliteError const& error) {
    if (!error.is_constraint()) throw;
    return Refused{error.what()};
  }
}

void SqliteLedger::put_in_doubt(std::int64_t consumption, std::int64_t app, core::Kind kind,
                                core::Cause cause, core::WallTime at) {
  Charge const charge = packs_.next_unit(app, kind, at);
  doubt_consumption_.run({consumption, core::to_string(cause), charge.pack, charge.micro_yuan, unix_ms(at)});
  write_charge("doubt", charge, consumption, "doubt", at);
}

// The last step of a command: what it notes in memory is not undone with the savepoint.
void SqliteLedger::write_charge(std::string_view entry_kind, Charge const& charge, std::int64_t consumption,
                                std::string_view to_account, core::WallTime at) {
  insert_entry_.run(
      {entry_kind, charge.pack, consumption, charge.account(), to_account, charge.micro_yuan, unix_ms(at)});
  packs_.move_unit(charge, charge.account(), to_account);
}

void SqliteLedger::write_refusal(core::AttemptId attempt, OpenAttempt const& open, core::Cause cause,
                                 std::optional<int> errcode, std::string_view rid, core::WallTime closed_at) {
  insert_attempt_.run({attempt.consumption, attempt.number, open.run, core::to_string(cause), errcode,
                       null_if_empty(rid), open.opened_at, unix_ms(closed_at)});
}

Maintenance SqliteLedger::maintain(Now now) {
  Maintenance done;
  Abandonment abandonment;
  Purge purge;
  std::size_t erased = 0;
  bool more_sessions = false;
  try {
    Transaction transaction(connection_);
    abandonment = abandon(now);
    auto const forget_sessions = [&] {
      if (settings_.session_life)
        more_sessions = sessions_.delete_aged(*settings_.session_life, now.wall, maintenance_rows_max);
    };
    auto const keep_events = [&] {
      done.events_settled = events_.settle(now.wall, maintenance_rows_max);
      if (settings_.events_keep)
        done.events_forgotten = events_.forget(now.wall - *settings_.events_keep, maintenance_rows_max);
    };
    attempt(forget_sessions, done.refused);
    attempt(keep_events, done.refused);
    if (refuse_until_ && now.steady >= *refuse_until_) end_refusal(now.wall);
    erased = erase_numbers(now.steady);
    purge = purge_codes(now);
    packs_.flush();
    done.packs_expired = bookkeeper_.expire(now.wall);
    std::int64_t const returned = bookkeeper_.return_overdrafts(now.wall);
    if (done.packs_expired > 0 || returned > 0) packs_.reload();
    transaction.commit();
  } catch (SqliteError const&) {
    packs_.reload();
    throw;
  }
  if (refuse_until_ && now.steady >= *refuse_until_) refuse_until_.reset();
  // Not before the commit: what a rollback brings back is still due.
  for (std::int64_t const consumption : abandonment.settled) unsettled_.erase(consumption);
  done.abandoned = static_cast<int>(abandonment.abandoned);
  numbers_.erase(numbers_.begin(), numbers_.begin() + static_cast<std::ptrdiff_t>(erased));
  codes_.erase(codes_.begin(), codes_.begin() + static_cast<std::ptrdiff_t>(purge.looked_at));
  codes_.insert(codes_.end(), purge.kept.begin(), purge.kept.end());
  done.numbers_erased = static_cast<int>(erased);
  done.codes_purged = static_cast<int>(purge.looked_at - purge.kept.size());
  done.more =
      static_cast<std::size_t>(done.abandoned) == maintenance_rows_max || erased == maintenance_rows_max ||
      purge.looked_at == maintenance_rows_max || more_sessions ||
      static_cast<std::size_t>(std::max(done.events_settled, done.events_forgotten)) == maintenance_rows_max;
  // An erased number is gone when its page and the WAL are, too; the last pass sees to it for all of them.
  if (done.numbers_erased > 0) wal_truncated_ = false;
  if (!done.more && !wal_truncated_) wal_truncated_ = connection_.checkpoint_truncate();
  done.wal_truncated = wal_truncated_;
  return done;
}

void SqliteLedger::attempt(std::function<void()> const& step, std::string& refused) {
  try {
    Savepoint savepoint(connection_);
    step();
    savepoint.release();
  } catch (SqliteError const& error) {
    if (!error.is_constraint()) throw;
    refused = error.what();
  }
}

// The backup is a ledger like any other from here on; reconciliation knows the gap.
void SqliteLedger::end_refusal(core::WallTime at) {
  Statement gap(connection_, hot_sql("insert_gap"));
  gap.run({unix_ms(at)});
  Statement clear(connection_, hot_sql("clear_copied_at"));
  clear.run({});
}

// Tells which are no longer to be watched.
SqliteLedger::Abandonment SqliteLedger::abandon(Now now) {
  Abandonment abandonment;
  for (auto const& [consumption, since] : unsettled_) {
    if (now.steady - since < limits::code_life) continue;
    std::optional<OpenAttempt> const attempt = read_attempt(consumption);
    if (attempt && attempt->state == core::State::sending) continue;
    abandonment.settled.push_back(consumption);
    if (!attempt || attempt->state != core::State::retryable) continue;
    put_in_doubt(consumption, attempt->app, attempt->kind, core::Cause::abandoned, now.wall);
    if (++abandonment.abandoned == maintenance_rows_max) break;
  }
  return abandonment;
}

std::size_t SqliteLedger::erase_numbers(core::SteadyTime steady) {
  std::size_t erased = 0;
  for (Due const& due : numbers_) {
    if (steady - due.since < settings_.replay_window || erased == maintenance_rows_max) break;
    erase_number_.run({due.code_key.digest});
    ++erased;
  }
  return erased;
}

SqliteLedger::Purge SqliteLedger::purge_codes(Now now) {
  Purge purge;
  for (Due const& due : codes_) {
    if (now.steady - due.since < keep_time_ || purge.looked_at == maintenance_rows_max) break;
    ++purge.looked_at;
    purge_live_code_.run({due.code_key.digest, unix_ms(now.wall) - keep_time_.count()});
    if (connection_.changes() > 0) continue;
    // In doubt, or wall time went back: it is asked again when it has been kept once more.
    purge.kept.push_back({.code_key = due.code_key, .since = now.steady});
  }
  return purge;
}

void SqliteLedger::end(core::WallTime at) {
  end_run_.run({run_, unix_ms(at)});
  connection_.checkpoint_truncate();
}

}  // namespace onetap::storage
