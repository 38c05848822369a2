#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

#include "core/limits.hpp"
#include "core/secret.hpp"
#include "storage/migrate.hpp"
#include "storage/pack_book.hpp"
#include "tests/storage/proof_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/fault_vfs.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;
using storage::Command;
using storage::CommandResult;

/// A pack as somebody bought it.
struct Bought {
  bool is_trial = false;
  int units = 0;
  std::int64_t price_micro_yuan = 0;
  std::optional<int> starts_in_minutes;
  std::optional<int> ends_in_minutes;
};

std::vector<Bought> any_packs() {
  std::vector<Bought> packs;
  int const count = *rc::gen::inRange(0, 5);
  for (int i = 0; i < count; ++i) {
    Bought pack;
    pack.is_trial = i == 0 && *rc::gen::arbitrary<bool>();
    pack.units = *rc::gen::inRange(1, 7);
    pack.price_micro_yuan = pack.is_trial ? 0 : *rc::gen::inRange(0, 1'000'003);
    if (*rc::gen::inRange(0, 4) == 0) pack.starts_in_minutes = *rc::gen::inRange(-10, 30);
    if (*rc::gen::inRange(0, 3) != 0) pack.ends_in_minutes = *rc::gen::inRange(-10, 60);
    packs.push_back(pack);
  }
  return packs;
}

std::string sql_time(std::optional<int> in_minutes, core::WallTime now) {
  return in_minutes ? std::to_string(core::unix_ms(now) + *in_minutes * 60'000LL) : "NULL";
}

/// A ledger in memory, with packs bought before it is opened.
class PropertyLedger {
 public:
  explicit PropertyLedger(std::vector<Bought> const& packs) : disk_(1) {
    options_ = options_for(folder_ / "onetap.db", clock_);
    opened(options_).ledger->end(clock_.wall());
    storage::Connection connection(options_.path, storage::Access::read_write);
    storage::PackBook book(connection, {});
    connection.run("BEGIN");
    app_ = book.app("wx1", clock_.wall());
    for (std::size_t i = 0; i < packs.size(); ++i) buy(connection, packs[i], i);
    connection.run("COMMIT");
  }

  void open() { file_.emplace(opened(options_)); }
  void crash() {
    disk_.kill_process();
    file_.reset();
    disk_.start_process();
    open();
  }
  void close() { file_.reset(); }

  /// A batch of one.
  template <class Action>
  CommandResult apply(Action action) {
    std::vector<Command> const batch{{.action = std::move(action), .steady = clock_.steady()}};
    return file_->ledger->apply(batch).at(0);
  }
  void maintain() { file_->ledger->maintain(clock_.now()); }

  [[nodiscard]] StandingClock& clock() { return clock_; }
  [[nodiscard]] std::filesystem::path const& path() const { return options_.path; }
  [[nodiscard]] std::int64_t app() const { return app_; }
  [[nodiscard]] storage::Connection reader() const { return {options_.path, storage::Access::read_only}; }

 private:
  void buy(storage::Connection& connection, Bought const& pack, std::size_t number) {
    std::string const units = std::to_string(pack.units);
    std::string const price = std::to_string(pack.price_micro_yuan);
    std::string const at = std::to_string(core::unix_ms(clock_.wall()));
    connection.run(
        "INSERT INTO pack (app, kind, source, wx_pkg_id, units, price_micro_yuan, starts_at, ends_at,"
        " created_at) VALUES (" +
        std::to_string(app_) + ", 'quick', " +
        (pack.is_trial ? "'trial', ''" : "'paid', 'pkg" + std::to_string(number) + "'") + ", " + units +
        ", " + (pack.is_trial ? "NULL" : price) + ", " + sql_time(pack.starts_in_minutes, clock_.wall()) +
        ", " + sql_time(pack.ends_in_minutes, clock_.wall()) + ", " + at + ")");
    std::string const id = std::to_string(connection.last_insert_rowid());
    connection.run(
        "INSERT INTO entry (kind, pack, from_account, to_account, units, micro_yuan, at) VALUES"
        " ('purchase', " +
        id + ", 'source', 'available', " + units + ", " + price + ", " + at +
        ");"
        "INSERT INTO pack_balance VALUES (" +
        id + ", 'source', -" + units + ", -" + price + "), (" + id + ", 'available', " + units + ", " +
        price + ")");
  }

  TempFolder folder_;
  StandingClock clock_;
  FaultVfs disk_;
  storage::LedgerOptions options_;
  std::int64_t app_ = 0;
  std::optional<storage::LedgerFile> file_;
};

State any_outcome() {
  return *rc::gen::element(State::ok, State::ok, State::rejected, State::retryable, State::in_doubt);
}

/// The table of design/ledger.md for one code, whose caller is always the same unless it is a stranger.
class TableModel {
 public:
  std::optional<State> state;  // none: never presented
  Cause cause = Cause::none;
  int attempts = 0;
  core::WallTime created;

  [[nodiscard]] bool may_begin(core::WallTime now) const {
    return !state || (*state == State::retryable && now < created + core::limits::code_life);
  }
  void pass_time(core::WallTime now) {
    if (state == State::retryable && now >= created + core::limits::code_life) {
      state = State::in_doubt;
      cause = Cause::abandoned;
    }
  }
  void crash() {
    if (state == State::sending) {
      state = State::in_doubt;
      cause = Cause::crash;
    }
  }
};

}  // namespace

TEST_CASE("money and units are conserved, whatever happens") {
  CHECK(rc::check("money is conserved", [] {
    std::vector<Bought> const packs = any_packs();
    PropertyLedger tested(packs);
    tested.open();
    std::vector<std::pair<int, core::AttemptId>> open;
    std::vector<int> doubtful;
    int const steps = *rc::gen::inRange(1, 40);
    for (int code = 0; code < steps; ++code) {
      tested.clock().pass(core::milliseconds(*rc::gen::inRange(0, 300'000)));
      int const what = *rc::gen::inRange(0, 10);
      if (what == 0) tested.maintain();
      if (what == 1) {
        tested.crash();
        for (auto const& [code_in_doubt, attempt] : open) doubtful.push_back(code_in_doubt);
        open.clear();
      }
      if (what == 2) {
        CommandResult const result = tested.apply(decryption_of(code, tested.clock().wall()));
        RC_ASSERT(is_recorded(std::get<ledger::RecordResult>(result)));
      } else if (what == 3 && !doubtful.empty()) {
        int const rescued = doubtful.back();
        doubtful.pop_back();
        RC_ASSERT(std::holds_alternative<storage::Settled>(
            tested.apply(rescue_of(rescued, tested.clock().wall()))));
      } else if (what > 5 && !open.empty()) {
        auto const [settled, attempt] = open.back();
        open.pop_back();
        core::Settlement const outcome =
            settlement_of(settled, attempt, any_outcome(), tested.clock().wall());
        RC_ASSERT(std::holds_alternative<storage::Settled>(tested.apply(outcome)));
        if (outcome.state == State::in_doubt) doubtful.push_back(settled);
      } else {
        CommandResult const result =
            tested.apply(storage::BeginCommand{intent_of(code, tested.clock().wall())});
        open.emplace_back(code, std::get<ledger::Started>(std::get<ledger::BeginResult>(result)).attempt);
      }
    }
    storage::Connection reader = tested.reader();
    RC_ASSERT(damage(reader) == std::vector<std::string>());
    // What was paid is still there, in whatever account: recomputed from the entries alone.
    for (std::size_t i = 0; i < packs.size(); ++i) {
      std::string const pack = std::to_string(3 + i);  // behind the two packs of last resort
      std::string const sum =
          "SELECT coalesce(sum(micro_yuan), 0) FROM pack_balance WHERE account <> 'source' AND pack = ";
      std::string const units =
          "SELECT coalesce(sum(units), 0) FROM pack_balance WHERE account <> 'source' AND pack = ";
      RC_ASSERT(reader.integer(sum + pack) == packs[i].price_micro_yuan);
      RC_ASSERT(reader.integer(units + pack) == packs[i].units);
      // The last unit takes what is left: no money stays behind in an empty account.
      RC_ASSERT(reader.integer("SELECT count(*) FROM pack_balance WHERE account = 'available' AND units = 0"
                               " AND micro_yuan <> 0 AND pack = " +
                               pack) == 0);
    }
  }));
}

TEST_CASE("units burn in WeChat's order: the trial's, then the earliest end, then the lowest pack") {
  CHECK(rc::check("burn order", [] {
    std::vector<Bought> packs = any_packs();
    PropertyLedger tested(packs);
    storage::Connection connection(tested.path(), storage::Access::read_write);
    storage::PackBook book(connection, {});
    core::WallTime const begin = tested.clock().wall();
    int minutes = 0;
    for (int burnt = 0; burnt < 30; ++burnt) {
      minutes += *rc::gen::inRange(0, 5);
      // The reference: the least by (trial first, end, id) among those that are open and not empty.
      std::optional<std::size_t> expected;
      auto const rank = [&packs](std::size_t i) {
        return std::tuple(!packs[i].is_trial,
                          packs[i].ends_in_minutes.value_or(std::numeric_limits<int>::max()), i);
      };
      for (std::size_t i = 0; i < packs.size(); ++i) {
        bool const is_open = packs[i].starts_in_minutes.value_or(-1000) <= minutes &&
                             packs[i].ends_in_minutes.value_or(1000) > minutes;
        if (is_open && packs[i].units > 0 && (!expected || rank(i) < rank(*expected))) expected = i;
      }
      storage::Charge const charge =
          book.next_unit(tested.app(), core::Kind::quick, begin + std::chrono::minutes(minutes));
      RC_ASSERT(charge.overdraft == !expected.has_value());
      if (!expected) {
        RC_ASSERT(charge.micro_yuan == storage::UnitPrices{}.quick_micro_yuan);
        continue;
      }
      Bought& pack = packs[*expected];
      RC_ASSERT(charge.pack == static_cast<std::int64_t>(3 + *expected));
      RC_ASSERT(charge.micro_yuan == pack.price_micro_yuan / pack.units);
      pack.price_micro_yuan -= charge.micro_yuan;
      --pack.units;
      book.move_unit(charge, charge.account(), "used");
    }
  }));
}

TEST_CASE("a code goes the ways of the table, and no other") {
  CHECK(rc::check("state machine", [] {
    PropertyLedger tested({});
    tested.open();
    TableModel model;
    constexpr int code = 7;
    core::AttemptId attempt{.consumption = 1, .number = 1};
    int const steps = *rc::gen::inRange(1, 25);
    for (int step = 0; step < steps; ++step) {
      core::WallTime const now = tested.clock().wall();
      attempt.number = model.attempts;
      switch (*rc::gen::inRange(0, 8)) {
        case 0: {  // its caller presents it
          CommandResult const result = tested.apply(storage::BeginCommand{intent_of(code, now)});
          bool const started = std::holds_alternative<ledger::Started>(std::get<ledger::BeginResult>(result));
          RC_ASSERT(started == model.may_begin(now));
          if (!model.state) model.created = now;
          model.pass_time(now);
          if (started) {
            model.state = State::sending;
            model.cause = Cause::none;
            ++model.attempts;
          }
          break;
        }
        case 1: {  // somebody else does
          if (!model.state) break;
          core::Intent intent = intent_of(code, now);
          intent.caller = caller(code + 1);
          CommandResult const result = tested.apply(storage::BeginCommand{intent});
          RC_ASSERT(std::holds_alternative<ledger::NotYours>(std::get<ledger::BeginResult>(result)));
          model.pass_time(now);
          break;
        }
        case 2:
        case 3: {
          if (!model.state) break;
          core::Settlement const outcome = settlement_of(code, attempt, any_outcome(), now);
          bool const settled = std::holds_alternative<storage::Settled>(tested.apply(outcome));
          RC_ASSERT(settled == (model.state == State::sending));
          if (settled) {
            model.state = outcome.state;
            model.cause = outcome.cause;
          }
          break;
        }
        case 4: {
          if (!model.state) break;
          CommandResult const result =
              tested.apply(core::Resend{.refused = attempt, .errcode = 42001, .at = now});
          bool const resent = std::get<std::optional<core::AttemptId>>(result).has_value();
          RC_ASSERT(resent == (model.state == State::sending));
          if (resent) ++model.attempts;
          break;
        }
        case 5: {
          bool const rescued = std::holds_alternative<storage::Settled>(tested.apply(rescue_of(code, now)));
          if (model.state) model.pass_time(now);
          RC_ASSERT(rescued == (model.state == State::in_doubt));
          if (rescued) {
            model.state = State::ok;
            model.cause = Cause::none;
          }
          break;
        }
        case 6:
          tested.clock().pass(core::milliseconds(*rc::gen::inRange(0, 400'000)));
          tested.maintain();
          model.pass_time(tested.clock().wall());
          break;
        default:
          tested.crash();
          model.crash();
          break;
      }
      storage::Connection reader = tested.reader();
      std::optional<KnownCode> const stored = find_code(stored_codes(reader), code);
      RC_ASSERT(stored.has_value() == model.state.has_value());
      if (!stored) continue;
      RC_ASSERT(stored->state == *model.state);
      RC_ASSERT(stored->cause == model.cause);
      RC_ASSERT(stored->attempts == model.attempts);
    }
    storage::Connection reader = tested.reader();
    RC_ASSERT(damage(reader) == std::vector<std::string>());
  }));
}

TEST_CASE("a masked number never shows more than four digits in a row") {
  CHECK(rc::check("masking", [] {
    auto const digits = *rc::gen::container<std::string>(rc::gen::inRange('0', static_cast<char>('9' + 1)));
    std::string const masked = core::mask_phone_number(digits);
    std::size_t row = 0;
    for (char const letter : masked) {
      row = letter >= '0' && letter <= '9' ? row + 1 : 0;
      RC_ASSERT(row <= 4U);
    }
  }));
}

}  // namespace onetap::tests
