// What every implementation of core::Ledger must do. Another engine links this with a
// make_ledger_under_test() of its own.
#include "tests/conformance/ledger_under_test.hpp"

namespace onetap::tests {

TEST_CASE("a ledger answers as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
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
    tested.pass(std::chrono::minutes(1));
    auto const not_yours = std::get<ledger::NotYours>(speaker.begin(1, caller(2)));
    CHECK(not_yours.consumption == attempt.consumption);
    CHECK(not_yours.request_id == "request-1");
    CHECK(not_yours.at == tested.now() - std::chrono::minutes(1));
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
  SUBCASE("a rejection keeps its reason, and of a code that no page told of nothing else is known") {
    core::AttemptId const attempt = speaker.started(1, caller(1));
    ledger::Trace const trace = await(tested.loop(), tested.port().trace({digest_of(1)}));
    CHECK_FALSE(trace.issued.has_value());
    CHECK_FALSE(trace.used.has_value());
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = State::rejected;
    settlement.reason = core::Reason::login_code;
    speaker.settle(std::move(settlement));
    CHECK(stored(speaker.begin(1, caller(1))).reason == core::Reason::login_code);
    CHECK(stored(speaker.find(1, caller(1))).reason == core::Reason::login_code);
    speaker.settle_ok(speaker.started(2, caller(1)));
    CHECK(stored(speaker.find(2, caller(1))).reason == core::Reason::none);
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

TEST_CASE("a ledger counts attempts as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
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

TEST_CASE("a ledger keeps time as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
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

TEST_CASE("a ledger records decrypted numbers as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
  Speaker speaker(tested);
  constexpr int blob = 100;
  REQUIRE(is_fresh(speaker.find(blob, caller(1))));
  REQUIRE(is_recorded(speaker.record(blob, caller(1))));

  SUBCASE("what came again is stored for its user, and makes no second row") {
    ledger::Stored const answer = stored(speaker.record(blob, caller(1)));
    CHECK(answer.state == State::ok);
    CHECK(answer.sealed_number == Speaker::sealed());
    ledger::Stored const found = stored(speaker.find(blob, caller(1)));
    CHECK(found.consumption == answer.consumption);
    CHECK(found.sealed_number == Speaker::sealed());
  }
  SUBCASE("another's blob is charged, and its number is not told") {
    CHECK(is_charged(speaker.record(blob, caller(2))));
    CHECK(is_charged(speaker.find(blob, caller(2))));
    CHECK(is_charged(speaker.find(blob, std::nullopt)));
  }
  SUBCASE("its number is replayed until the replay window ends") {
    tested.pass(std::chrono::minutes(10) - std::chrono::milliseconds(1));
    CHECK(stored(speaker.record(blob, caller(1))).state == State::ok);
    tested.pass(std::chrono::milliseconds(1));
    CHECK(is_charged(speaker.record(blob, caller(1))));
    tested.maintain();
    CHECK(is_charged(speaker.record(blob, caller(1))));
  }
  SUBCASE("it is known after a crash") {
    tested.crash_and_restart();
    CHECK(stored(speaker.record(blob, caller(1))).sealed_number == Speaker::sealed());
  }
  SUBCASE("it is never begun, and rescues nothing") {
    CHECK(stored(speaker.begin(blob, caller(1))).state == State::ok);
    CHECK_FALSE(speaker.rescue(blob, caller(1), 101));
    speaker.settle_as(speaker.started(1, caller(1)), State::in_doubt, Cause::timeout);
    CHECK_FALSE(speaker.rescue(1, caller(1), blob));
    CHECK(stored(speaker.find(1, caller(1))).state == State::in_doubt);
  }
  CHECK(tested.violations().empty());
}

TEST_CASE("a ledger rescues codes in doubt as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
  Speaker speaker(tested);
  using namespace std::chrono_literals;
  constexpr int blob = 100;
  core::AttemptId const first = speaker.started(1, caller(1));

  SUBCASE("a doubt ends as ok, under the code and under the blob") {
    speaker.settle_as(first, State::in_doubt, Cause::timeout);
    tested.pass(1h);
    CHECK(speaker.rescue(1, caller(1), blob));
    ledger::Stored const by_code = stored(speaker.begin(1, caller(1)));
    CHECK(by_code.state == State::ok);
    CHECK(by_code.sealed_number == Speaker::sealed());
    ledger::Stored const by_blob = stored(speaker.record(blob, caller(1)));
    CHECK(by_blob.consumption == by_code.consumption);
    CHECK(by_blob.sealed_number == Speaker::sealed_blob());
    CHECK(is_charged(speaker.find(1, caller(2))));
    CHECK(is_charged(speaker.record(blob, caller(2))));
    tested.pass(10min);
    tested.maintain();
    CHECK(is_charged(speaker.find(1, caller(1))));
    CHECK(is_charged(speaker.find(blob, caller(1))));
  }
  SUBCASE("a rescue outlives a crash, and a crash can be rescued") {
    core::AttemptId const second = speaker.started(2, caller(1));
    speaker.settle_as(second, State::in_doubt, Cause::timeout);
    CHECK(speaker.rescue(2, caller(1), blob));
    tested.crash_and_restart();
    CHECK(stored(speaker.find(2, caller(1))).state == State::ok);
    CHECK(stored(speaker.find(blob, caller(1))).sealed_number == Speaker::sealed_blob());
    CHECK(speaker.rescue(1, caller(1), 101));
    CHECK(stored(speaker.find(1, caller(1))).state == State::ok);
  }
  SUBCASE("one blob rescues one code, and a code is rescued once") {
    speaker.settle_as(first, State::in_doubt, Cause::timeout);
    speaker.settle_as(speaker.started(2, caller(1)), State::in_doubt, Cause::timeout);
    CHECK(speaker.rescue(1, caller(1), blob));
    CHECK_FALSE(speaker.rescue(2, caller(1), blob));
    CHECK(stored(speaker.find(2, caller(1))).state == State::in_doubt);
    CHECK_FALSE(speaker.rescue(1, caller(1), 101));
    CHECK(is_fresh(speaker.find(101, caller(1))));
  }
  SUBCASE("nobody rescues another's code") {
    speaker.settle_as(first, State::in_doubt, Cause::timeout);
    CHECK_FALSE(speaker.rescue(1, caller(2), blob));
    CHECK(stored(speaker.find(1, caller(1))).state == State::in_doubt);
    CHECK(is_fresh(speaker.find(blob, caller(2))));
    speaker.settle_as(speaker.started(2, std::nullopt), State::in_doubt, Cause::timeout);
    CHECK_FALSE(speaker.rescue(2, caller(2), blob));
  }
  SUBCASE("only doubt is rescued") {
    speaker.settle_ok(speaker.started(2, caller(1)));
    speaker.settle_rejected(speaker.started(3, caller(1)));
    speaker.settle_as(speaker.started(4, caller(1)), State::retryable, Cause::rate_limited);
    for (int const code : {1, 2, 3, 4, 5}) {
      CAPTURE(code);
      CHECK_FALSE(speaker.rescue(code, caller(1), blob));
    }
    CHECK(is_not_yours(speaker.find(1, caller(1)), true));
    CHECK(stored(speaker.find(3, caller(1))).state == State::rejected);
    CHECK(is_fresh(speaker.find(4, caller(1))));
    CHECK(is_fresh(speaker.find(blob, caller(1))));
  }
  SUBCASE("a code that was abandoned is rescued, swept or not") {
    speaker.settle_as(first, State::retryable, Cause::rate_limited);
    speaker.settle_as(speaker.started(2, caller(1)), State::retryable, Cause::rate_limited);
    tested.pass(5min);
    CHECK(speaker.rescue(1, caller(1), blob));
    CHECK(stored(speaker.find(1, caller(1))).state == State::ok);
    tested.maintain();
    CHECK(speaker.rescue(2, caller(1), 101));
    CHECK(stored(speaker.find(2, caller(1))).state == State::ok);
  }
  CHECK(tested.violations().empty());
}

TEST_CASE("a ledger recovers as the port promises") {
  std::unique_ptr<LedgerUnderTest> const made = make_ledger_under_test();
  LedgerUnderTest& tested = *made;
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
