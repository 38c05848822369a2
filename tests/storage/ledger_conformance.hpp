#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "core/exchange/ledger.hpp"
#include "core/limits.hpp"

/// What every implementation of core::Ledger must do, whatever it stores things in. No SQL here.
namespace onetap::tests {

namespace asio = boost::asio;
namespace ledger = core::ledger;
using core::Cause;
using core::State;

/// A ledger whose clock the test moves. Replay window: 10 minutes.
class LedgerUnderTest {
 public:
  LedgerUnderTest() = default;
  LedgerUnderTest(LedgerUnderTest const&) = delete;
  LedgerUnderTest& operator=(LedgerUnderTest const&) = delete;
  virtual ~LedgerUnderTest() = default;

  [[nodiscard]] virtual core::Ledger& port() = 0;
  [[nodiscard]] virtual asio::io_context& loop() = 0;
  [[nodiscard]] virtual core::WallTime now() const = 0;
  /// Moves both clocks.
  virtual void pass(core::milliseconds time) = 0;
  /// Everything that becomes due by now has been done when it returns.
  virtual void maintain() = 0;
  /// Ends without closing, as by a kill, and starts again on what is durable.
  virtual void crash_and_restart() = 0;
  /// Sentences about broken invariants; none is right.
  [[nodiscard]] virtual std::vector<std::string> violations() = 0;
};

template <class Value>
Value await(asio::io_context& loop, core::Task<Value> task) {
  std::optional<Value> result;
  std::exception_ptr failure;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, Value value) {
    failure = error;
    if (!error) result.emplace(std::move(value));
  });
  loop.restart();
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(result).value();
}

inline void await(asio::io_context& loop, core::Task<> task) {
  std::exception_ptr failure;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) { failure = error; });
  loop.restart();
  loop.run();
  if (failure) std::rethrow_exception(failure);
}

inline core::Digest digest_of(int number) {
  core::Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest.at(i) = static_cast<unsigned char>(number * 31 + static_cast<int>(i) * 7);
  }
  digest.at(0) = static_cast<unsigned char>(number);
  digest.at(1) = static_cast<unsigned char>(number >> 8);
  return digest;
}

inline core::CallerKey caller(int number) { return {digest_of(1000 + number)}; }

/// A test's way to speak to a ledger.
class Speaker {
 public:
  explicit Speaker(LedgerUnderTest& tested) : tested_(tested) {}

  [[nodiscard]] core::Intent intent(int code, std::optional<core::CallerKey> who) const {
    core::Intent intent;
    intent.code_key = {digest_of(code)};
    intent.caller = who;
    intent.appid = "wx0000000000000001";
    intent.request_id = "request-" + std::to_string(code);
    intent.at = tested_.now();
    return intent;
  }

  ledger::BeginResult begin(int code, std::optional<core::CallerKey> who) {
    return await(tested_.loop(), tested_.port().begin(intent(code, who)));
  }

  ledger::FindResult find(int code, std::optional<core::CallerKey> who) {
    return await(tested_.loop(), tested_.port().find(intent(code, who)));
  }

  /// Begins what nothing stands against.
  core::AttemptId started(int code, std::optional<core::CallerKey> who) {
    ledger::BeginResult const result = begin(code, who);
    REQUIRE(std::holds_alternative<ledger::Started>(result));
    return std::get<ledger::Started>(result).attempt;
  }

  std::optional<core::AttemptId> resend(core::AttemptId refused) {
    core::Resend resend;
    resend.refused = refused;
    resend.errcode = 40001;
    resend.rid = "rid-refused";
    resend.at = tested_.now();
    return await(tested_.loop(), tested_.port().resend(std::move(resend)));
  }

  void settle(core::Settlement settlement) {
    settlement.at = tested_.now();
    await(tested_.loop(), tested_.port().settle(std::move(settlement)));
  }

  void settle_ok(core::AttemptId attempt) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = State::ok;
    settlement.errcode = 0;
    settlement.sealed_number = sealed();
    settlement.phone_mask = "138****8000";
    settlement.phone_key = digest_of(77);
    settle(std::move(settlement));
  }

  void settle_rejected(core::AttemptId attempt) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = State::rejected;
    settlement.errcode = 40029;
    settlement.rid = "rid-rejected";
    settle(std::move(settlement));
  }

  void settle_as(core::AttemptId attempt, State state, Cause cause) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = state;
    settlement.cause = cause;
    settle(std::move(settlement));
  }

  [[nodiscard]] static core::SealedBytes sealed() { return {1, 2, 3, 4, 5}; }

 private:
  LedgerUnderTest& tested_;
};

template <class Result>
ledger::Stored stored(Result const& result) {
  REQUIRE(std::holds_alternative<ledger::Stored>(result));
  return std::get<ledger::Stored>(result);
}

template <class Result>
bool is_not_yours(Result const& result, bool in_progress) {
  auto const* const not_yours = std::get_if<ledger::NotYours>(&result);
  return not_yours != nullptr && not_yours->in_progress == in_progress;
}

template <class Result>
bool is_charged(Result const& result) {
  auto const* const not_yours = std::get_if<ledger::NotYours>(&result);
  return not_yours != nullptr && not_yours->charged;
}

template <class Result>
bool is_fresh(Result const& result) {
  return std::holds_alternative<ledger::Fresh>(result);
}

template <class Result>
bool is_started(Result const& result, int number) {
  auto const* const started = std::get_if<ledger::Started>(&result);
  return started != nullptr && started->attempt.number == number;
}

inline void conformance_of_answers(LedgerUnderTest& tested) {
  Speaker speaker(tested);

  SUBCASE("a new code is fresh, and begins with attempt 1") {
    CHECK(is_fresh(speaker.find(1, caller(1))));
    CHECK(is_started(speaker.begin(1, caller(1)), 1));
  }
  SUBCASE("a code under way is nobody's to begin, not even its caller's") {
    speaker.started(1, caller(1));
    CHECK(is_not_yours(speaker.begin(1, caller(1)), true));
    CHECK(is_not_yours(speaker.begin(1, caller(2)), true));
    CHECK(is_not_yours(speaker.find(1, std::nullopt), true));
  }
  SUBCASE("a number is stored for its caller, and for no one else") {
    core::AttemptId const attempt = speaker.started(1, caller(1));
    speaker.settle_ok(attempt);
    for (int repeat = 0; repeat < 2; ++repeat) {
      ledger::Stored const answer = stored(speaker.begin(1, caller(1)));
      CHECK(answer.state == State::ok);
      CHECK(answer.consumption == attempt.consumption);
      CHECK(answer.sealed_number == Speaker::sealed());
    }
    CHECK(stored(speaker.find(1, caller(1))).sealed_number == Speaker::sealed());
    CHECK(is_not_yours(speaker.begin(1, caller(2)), false));
    CHECK(is_not_yours(speaker.begin(1, std::nullopt), false));
    CHECK(is_not_yours(speaker.find(1, caller(2)), false));
  }
  SUBCASE("without a caller's key nobody can tell whose the number is") {
    speaker.settle_ok(speaker.started(1, std::nullopt));
    CHECK(is_not_yours(speaker.begin(1, std::nullopt), false));
    CHECK(is_not_yours(speaker.begin(1, caller(1)), false));
  }
  SUBCASE("a stranger hears whether the ledger knows of a charge") {
    speaker.settle_ok(speaker.started(1, caller(1)));
    speaker.settle_rejected(speaker.started(2, caller(1)));
    speaker.settle_as(speaker.started(3, caller(1)), State::in_doubt, Cause::timeout);
    speaker.started(4, caller(1));
    CHECK(is_charged(speaker.begin(1, caller(2))));
    CHECK(is_charged(speaker.find(1, std::nullopt)));
    for (int const code : {2, 3, 4}) CHECK_FALSE(is_charged(speaker.find(code, caller(2))));
    tested.pass(std::chrono::minutes(11));
    CHECK(is_charged(speaker.find(1, caller(1))));
  }
  SUBCASE("a rejection is stored for its caller, with WeChat's errcode and rid") {
    speaker.settle_rejected(speaker.started(1, caller(1)));
    ledger::Stored const answer = stored(speaker.begin(1, caller(1)));
    CHECK(answer.state == State::rejected);
    CHECK(answer.errcode == 40029);
    CHECK(answer.rid == "rid-rejected");
    CHECK(answer.sealed_number.empty());
    CHECK(is_not_yours(speaker.begin(1, caller(2)), false));
  }
  SUBCASE("doubt is sticky: its caller hears of it again, and nobody begins it") {
    speaker.settle_as(speaker.started(1, caller(1)), State::in_doubt, Cause::timeout);
    tested.pass(std::chrono::hours(24));
    tested.maintain();
    ledger::Stored const answer = stored(speaker.begin(1, caller(1)));
    CHECK(answer.state == State::in_doubt);
    CHECK(answer.cause == Cause::timeout);
    CHECK(is_not_yours(speaker.begin(1, caller(2)), false));
  }
  SUBCASE("a caller's key may serve several codes, and the kind is kept") {
    core::Intent other = speaker.intent(2, caller(1));
    other.kind = core::Kind::realtime;
    speaker.settle_ok(speaker.started(1, caller(1)));
    ledger::BeginResult const began = await(tested.loop(), tested.port().begin(other));
    REQUIRE(is_started(began, 1));
    speaker.settle_ok(std::get<ledger::Started>(began).attempt);
    CHECK(stored(speaker.find(1, caller(1))).kind == core::Kind::quick);
    CHECK(stored(speaker.find(2, caller(1))).kind == core::Kind::realtime);
  }
  CHECK(tested.violations().empty());
}

inline void conformance_of_attempts(LedgerUnderTest& tested) {
  Speaker speaker(tested);
  core::AttemptId const first = speaker.started(1, caller(1));

  SUBCASE("a re-send closes the refused attempt and opens the next") {
    std::optional<core::AttemptId> const second = speaker.resend(first);
    REQUIRE(second);
    CHECK(second->consumption == first.consumption);
    CHECK(second->number == 2);
    CHECK(is_not_yours(speaker.begin(1, caller(1)), true));
    speaker.settle_ok(*second);
    CHECK(stored(speaker.begin(1, caller(1))).state == State::ok);
  }
  SUBCASE("an attempt that is closed is not re-sent, and not settled again") {
    speaker.settle_ok(first);
    CHECK_FALSE(speaker.resend(first));
    CHECK_THROWS(speaker.settle_rejected(first));
    CHECK(stored(speaker.begin(1, caller(1))).state == State::ok);
  }
  SUBCASE("a refused attempt is not settled in its successor's place") {
    std::optional<core::AttemptId> const second = speaker.resend(first);
    REQUIRE(second);
    CHECK_THROWS(speaker.settle_ok(first));
    CHECK(is_not_yours(speaker.find(1, caller(1)), true));
  }
  SUBCASE("no attempt is settled as sending, lost or free") {
    for (State const state : {State::sending, State::lost, State::free}) {
      CHECK_THROWS(speaker.settle_as(first, state, Cause::none));
    }
    CHECK(is_not_yours(speaker.find(1, caller(1)), true));
  }
  SUBCASE("a retryable code is its caller's to try again, as the next attempt") {
    speaker.settle_as(first, State::retryable, Cause::rate_limited);
    CHECK(is_not_yours(speaker.begin(1, caller(2)), false));
    CHECK(is_not_yours(speaker.begin(1, std::nullopt), false));
    CHECK(is_fresh(speaker.find(1, caller(1))));
    core::AttemptId const second = speaker.started(1, caller(1));
    CHECK(second == core::AttemptId{.consumption = first.consumption, .number = 2});
    speaker.settle_as(second, State::retryable, Cause::not_sent);
    speaker.settle_ok(speaker.started(1, caller(1)));
    CHECK(stored(speaker.find(1, caller(1))).state == State::ok);
  }
  SUBCASE("a retryable code without a caller becomes that of whoever presents it") {
    speaker.settle_as(speaker.started(2, std::nullopt), State::retryable, Cause::not_sent);
    CHECK(is_fresh(speaker.find(2, caller(5))));
    speaker.settle_ok(speaker.started(2, caller(5)));
    CHECK(stored(speaker.begin(2, caller(5))).state == State::ok);
    CHECK(is_not_yours(speaker.begin(2, caller(1)), false));
  }
  SUBCASE("a retryable code without a caller may be tried again without one") {
    speaker.settle_as(speaker.started(2, std::nullopt), State::retryable, Cause::not_sent);
    CHECK(is_started(speaker.begin(2, std::nullopt), 2));
  }
  CHECK(tested.violations().empty());
}

inline void conformance_of_time(LedgerUnderTest& tested) {
  Speaker speaker(tested);
  using namespace std::chrono_literals;

  SUBCASE("a number is replayed until the replay window ends, and then to nobody") {
    speaker.settle_ok(speaker.started(1, caller(1)));
    tested.pass(10min - 1ms);
    CHECK(stored(speaker.begin(1, caller(1))).state == State::ok);
    tested.pass(1ms);
    CHECK(is_not_yours(speaker.begin(1, caller(1)), false));
    CHECK(is_not_yours(speaker.find(1, caller(1)), false));
    tested.maintain();
    CHECK(is_not_yours(speaker.begin(1, caller(1)), false));
  }
  SUBCASE("a retryable code is tried again until its five minutes are over, then it is in doubt") {
    core::AttemptId const first = speaker.started(1, caller(1));
    speaker.settle_as(first, State::retryable, Cause::rate_limited);
    tested.pass(5min - 1ms);
    CHECK(is_fresh(speaker.find(1, caller(1))));
    tested.pass(1ms);
    CHECK(stored(speaker.find(1, caller(1))).state == State::in_doubt);
    ledger::Stored const answer = stored(speaker.begin(1, caller(1)));
    CHECK(answer.state == State::in_doubt);
    CHECK(answer.cause == Cause::abandoned);
  }
  SUBCASE("a retryable code that nobody presents again is swept into doubt") {
    speaker.settle_as(speaker.started(1, caller(1)), State::retryable, Cause::misconfigured);
    tested.pass(5min);
    tested.maintain();
    CHECK(stored(speaker.find(1, caller(1))).cause == Cause::abandoned);
    CHECK(stored(speaker.begin(1, caller(1))).cause == Cause::abandoned);
  }
  SUBCASE("a stranger who meets an abandoned code learns nothing, and it is in doubt all the same") {
    speaker.settle_as(speaker.started(1, caller(1)), State::retryable, Cause::not_sent);
    tested.pass(5min);
    CHECK(is_not_yours(speaker.begin(1, caller(2)), false));
    CHECK(stored(speaker.find(1, caller(1))).cause == Cause::abandoned);
  }
  SUBCASE("a code is known for an hour, then it may come as new") {
    core::AttemptId const first = speaker.started(1, caller(1));
    speaker.settle_rejected(first);
    tested.pass(60min - 1ms);
    tested.maintain();
    CHECK(stored(speaker.begin(1, caller(1))).state == State::rejected);
    tested.pass(1ms);
    tested.maintain();
    CHECK(is_fresh(speaker.find(1, caller(1))));
    CHECK(speaker.started(1, caller(1)).consumption != first.consumption);
  }
  CHECK(tested.violations().empty());
}

inline void conformance_of_recovery(LedgerUnderTest& tested) {
  Speaker speaker(tested);

  SUBCASE("an open attempt is in doubt after a crash, and never begins again") {
    speaker.started(1, caller(1));
    tested.crash_and_restart();
    ledger::Stored const answer = stored(speaker.begin(1, caller(1)));
    CHECK(answer.state == State::in_doubt);
    CHECK(answer.cause == Cause::crash);
  }
  SUBCASE("an open attempt that was re-sent is in doubt after a crash, too") {
    std::optional<core::AttemptId> const second = speaker.resend(speaker.started(1, caller(1)));
    REQUIRE(second);
    tested.crash_and_restart();
    CHECK(stored(speaker.begin(1, caller(1))).cause == Cause::crash);
    CHECK_THROWS(speaker.settle_ok(*second));
  }
  SUBCASE("what was answered before a crash is answered after it") {
    speaker.settle_ok(speaker.started(1, caller(1)));
    speaker.settle_rejected(speaker.started(2, caller(1)));
    speaker.settle_as(speaker.started(3, caller(1)), State::in_doubt, Cause::connection_lost);
    speaker.settle_as(speaker.started(4, caller(1)), State::retryable, Cause::not_sent);
    tested.crash_and_restart();
    CHECK(stored(speaker.begin(1, caller(1))).sealed_number == Speaker::sealed());
    CHECK(stored(speaker.begin(2, caller(1))).state == State::rejected);
    CHECK(stored(speaker.begin(3, caller(1))).cause == Cause::connection_lost);
    CHECK(is_started(speaker.begin(4, caller(1)), 2));
  }
  SUBCASE("a number does not outlive its window because of a restart") {
    speaker.settle_ok(speaker.started(1, caller(1)));
    tested.pass(std::chrono::minutes(9));
    tested.crash_and_restart();
    CHECK(stored(speaker.begin(1, caller(1))).state == State::ok);
    tested.pass(std::chrono::minutes(1));
    CHECK(is_not_yours(speaker.begin(1, caller(1)), false));
  }
  CHECK(tested.violations().empty());
}

}  // namespace onetap::tests
