#include "core/exchange/call_control.hpp"

#include "tests/core/service_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// A bench whose codes have names of their own.
struct Callers : Bench {
  using Bench::Bench;

  PhoneResult next() { return consume("code-" + std::to_string(++codes_), li); }
  Started<PhoneResult> begin_next() { return begin("code-" + std::to_string(++codes_), li); }
  PhoneResult lose_next() {
    will_fail(core::Delivery::maybe_sent, core::TransportFailure::timeout);
    return next();
  }
  void open_circuit() {
    for (int i = 0; i < 5; ++i) CHECK(problem_in(lose_next()) == "OUTCOME_UNKNOWN");
    REQUIRE(control.refusal().has_value());
  }

 private:
  int codes_ = 0;
};

}  // namespace

TEST_CASE(
    "after five lost answers codes wait at the page; a free call and one exchange find out when to go on") {
  Callers bench;
  bench.open_circuit();
  PhoneResult const refused = bench.next();
  CHECK(problem_in(refused) == "WECHAT_UNAVAILABLE");
  CHECK(charged_in(refused) == Charged::unknown);
  CHECK(retry_after_in(refused) == 2s);
  CHECK(bench.calls() == 5);
  CHECK(bench.ledger.rows.size() == 5);  // nothing was written for the sixth
  CHECK(bench.log_has("circuit_opened"));
  CHECK(bench.control.statistics().position == core::CircuitBreaker::Position::open);
  CHECK(bench.control.statistics().opened.front() == 1);  // untrusted_answers

  bench.will_answer_probe(0);
  bench.clock.advance(1s);
  CHECK(bench.wechat.probed_with == std::vector<std::string>{"token-1"});
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
  CHECK(bench.log_has("circuit_closed"));
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("a free call that is not answered as it should be keeps the circuit open, for twice as long") {
  Callers bench;
  bench.open_circuit();
  bench.wechat.quota_replies.push_back(ScriptedWeChat::says("<html>bad gateway</html>", 502));
  bench.clock.advance(1s);
  CHECK(bench.wechat.probed_with.size() == 1);
  bench.will_answer_probe(-1);
  bench.clock.advance(2s);
  CHECK(bench.wechat.probed_with.size() == 2);
  PhoneResult const refused = bench.next();
  CHECK(problem_in(refused) == "WECHAT_UNAVAILABLE");
  CHECK(retry_after_in(refused) == 4s);
  bench.will_answer_probe(0);
  bench.clock.advance(4s);
  CHECK_FALSE(bench.control.refusal().has_value());
}

TEST_CASE("who comes during the trial waits for it, and goes when it succeeds") {
  Callers bench;
  bench.open_circuit();
  bench.will_answer_probe(0);
  bench.clock.advance(1s);
  bench.wechat.hold_answers = true;
  auto trial = bench.begin_next();
  auto waiting = bench.begin_next();
  CHECK(bench.calls() == 6);
  bench.will_say_number();
  bench.will_say_number();
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(number_in(trial.value()) == number);
  CHECK(number_in(waiting.value()) == number);
}

TEST_CASE("who waits for a trial that fails keeps the code") {
  Callers bench;
  bench.open_circuit();
  bench.will_answer_probe(0);
  bench.clock.advance(1s);
  bench.wechat.hold_answers = true;
  auto trial = bench.begin_next();
  auto waiting = bench.begin_next();
  bench.will_fail(core::Delivery::maybe_sent, core::TransportFailure::connection_lost);
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(problem_in(trial.value()) == "OUTCOME_UNKNOWN");
  CHECK(problem_in(waiting.value()) == "WECHAT_UNAVAILABLE");
  CHECK(retry_after_in(waiting.value()) == 2s);
  CHECK(bench.calls() == 6);
  CHECK(bench.ledger.rows.size() == 6);
}

TEST_CASE("a stored answer takes the trial's place from nobody") {
  Callers bench;
  bench.will_say_number();
  CHECK(number_in(bench.consume("stored", li)) == number);
  bench.open_circuit();
  CHECK(number_in(bench.consume("stored", li)) == number);  // the circuit is open
  bench.will_answer_probe(0);
  bench.clock.advance(1s);
  CHECK(number_in(bench.consume("stored", li)) == number);  // and now a trial is due
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("WeChat's own limit is kept: nothing is sent before the next minute, and then one code tries") {
  Callers bench;
  bench.will_say_errcode(45011);
  PhoneResult const refused = bench.next();
  core::seconds const left = *retry_after_in(refused);
  CHECK(left <= 60s);
  CHECK(retry_after_in(bench.next()) == left);
  CHECK(bench.calls() == 1);
  bench.clock.advance(left);
  CHECK(bench.wechat.probed_with.empty());
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("the limit of the day is told to the operator, and tried again each minute") {
  Callers bench;
  bench.will_say_errcode(45009);
  CHECK(problem_in(bench.next()) == "WECHAT_UNAVAILABLE");
  CHECK(bench.log_has("daily_limit_reached"));
}

TEST_CASE("a refused configuration is not asked about for five seconds") {
  Callers bench;
  bench.will_say_errcode(48001);
  CHECK(problem_in(bench.next()) == "SERVICE_MISCONFIGURED");
  CHECK(bench.log_has("wechat_refused_configuration"));
  PhoneResult const meanwhile = bench.next();
  CHECK(problem_in(meanwhile) == "SERVICE_MISCONFIGURED");
  CHECK(retry_after_in(meanwhile) == 5s);
  CHECK(bench.calls() == 1);
  bench.clock.advance(5s);
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("an errcode that nobody knows is doubt, and an alarm to classify it") {
  Callers bench;
  bench.will_say_errcode(123456);
  CHECK(problem_in(bench.next()) == "OUTCOME_UNKNOWN");
  CHECK(bench.log_has("errcode_unknown"));
  CHECK(bench.log_has("classify me"));
}

TEST_CASE("a clock five minutes off WeChat's sends nothing until it is put right") {
  Callers bench;
  bench.skew.observe("Mon, 23 Nov 2026 03:00:00 GMT", bench.clock.steady());
  core::WallTime const right = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 3h;
  bench.clock.set_wall(right + 5min);
  PhoneResult const refused = bench.next();
  CHECK(problem_in(refused) == "SERVICE_MISCONFIGURED");
  CHECK(retry_after_in(refused) == 5s);
  CHECK(bench.calls() == 0);
  CHECK(bench.ledger.rows.empty());
  CHECK(bench.log_has("NTP"));
  bench.will_answer_probe(0);
  bench.clock.advance(1s);
  CHECK(problem_in(bench.next()) == "SERVICE_MISCONFIGURED");  // still off: the free call does not help
  bench.clock.set_wall(right + 1s);
  bench.will_answer_probe(0);
  bench.clock.advance(2s);
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("a token that WeChat gives again although it refuses it is not sent again before it is good") {
  Callers bench;
  bench.will_say_errcode(40001);
  bench.will_give(R"({"access_token":"token-1","expires_in":7200})");
  PhoneResult const refused = bench.next();
  CHECK(problem_in(refused) == "WECHAT_UNAVAILABLE");
  CHECK(bench.calls() == 1);
  CHECK(bench.ledger.rows[0].state == State::retryable);
  CHECK(bench.log_has("dead_token"));

  bench.will_answer_probe(40001);  // still dead: another one is asked for, but not at once
  bench.clock.advance(1s);
  CHECK(bench.wechat.token_requests == 2);
  bench.will_give(R"({"access_token":"token-2","expires_in":7200})");
  bench.will_answer_probe(0);
  bench.clock.advance(30s);
  CHECK(bench.wechat.token_requests == 3);
  CHECK(bench.wechat.probed_with.back() == "token-2");
  bench.will_say_number();
  CHECK(number_in(bench.next()) == number);
}

TEST_CASE("at most so many codes are under way; the others wait their turn, in order") {
  Callers bench;
  bench.wechat.hold_answers = true;
  std::vector<Started<PhoneResult>> exchanges;
  std::size_t const count = core::limits::wechat_calls_max + 2;
  for (std::size_t i = 0; i < count; ++i) exchanges.push_back(bench.begin_next());
  CHECK(bench.calls() == core::limits::wechat_calls_max);
  CHECK(bench.control.statistics().under_way == core::limits::wechat_calls_max);
  CHECK(bench.control.statistics().waiting == 2);
  for (std::size_t i = 0; i < count; ++i) bench.will_say_number();
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(bench.calls() == count);
  CHECK(bench.wechat.codes_sent[count - 2] == "code-129");
  CHECK(bench.wechat.codes_sent[count - 1] == "code-130");
  for (auto& exchange : exchanges) CHECK(number_in(exchange.value()) == number);
}

TEST_CASE("who waits too long for a turn is told that the server is busy, and nothing was done") {
  Callers bench;
  bench.wechat.hold_answers = true;
  std::vector<Started<PhoneResult>> exchanges;
  for (std::size_t i = 0; i < core::limits::wechat_calls_max; ++i) exchanges.push_back(bench.begin_next());
  auto waiting = bench.begin_next();
  bench.clock.advance(core::limits::exchange_ready_time);
  REQUIRE(waiting.done());
  CHECK(problem_in(waiting.value()) == "SERVER_BUSY");
  CHECK(bench.ledger.rows.size() == core::limits::wechat_calls_max);
  for (std::size_t i = 0; i < core::limits::wechat_calls_max; ++i) bench.will_say_number();
}
