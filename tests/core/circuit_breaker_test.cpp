#include "core/exchange/circuit_breaker.hpp"

#include <doctest/doctest.h>

using namespace onetap::core;
using namespace std::chrono_literals;

namespace {

using Position = CircuitBreaker::Position;

Answer const number{.verdict = Verdict::number};
Answer const code_invalid{.verdict = Verdict::code_invalid};
Answer const token_refused{.verdict = Verdict::token_refused};
Answer const lost{.verdict = Verdict::doubt};
Answer const not_sent{.verdict = Verdict::not_sent};
Answer const slower{.verdict = Verdict::rate_limited};
Answer const misconfigured{.verdict = Verdict::misconfigured};

/// A breaker on a clock of its own.
struct Breaker {
  CircuitBreaker breaker;
  SteadyTime now = SteadyTime(1000h);
  WallTime wall = WallTime(1'790'000'000s);  // 20 seconds into a minute

  void judged(Answer const& answer, int times = 1) {
    for (int i = 0; i < times; ++i) breaker.judged(answer, false, now, wall);
  }
  void trial(Answer const& answer) {
    REQUIRE(position() == Position::trial);
    breaker.begin_trial();
    breaker.judged(answer, true, now, wall);
  }
  void pass(milliseconds time) { now += time; }
  Position position() const { return breaker.position(now); }
  milliseconds pause() const { return std::chrono::duration_cast<milliseconds>(breaker.opens_until() - now); }
  void open() { judged(lost, 5); }
  /// Waits until a free call is due, and answers it.
  void probe(bool trusted) {
    pass(pause());
    REQUIRE(breaker.wants_probe(now));
    breaker.probed(trusted, now);
  }
};

}  // namespace

TEST_CASE("five answers in a row that cannot be trusted open the circuit, four do not") {
  for (Answer const& untrusted : {lost, not_sent}) {
    Breaker breaker;
    breaker.judged(untrusted, 4);
    CHECK(breaker.position() == Position::closed);
    breaker.judged(untrusted);
    CHECK(breaker.position() == Position::open);
    CHECK(breaker.breaker.cause() == OutageCause::untrusted_answers);
    CHECK(breaker.pause() == 1s);
  }
}

TEST_CASE("an answer that can be trusted ends the row, whatever it says") {
  for (Answer const& trusted : {number, code_invalid, token_refused}) {
    Breaker breaker;
    breaker.judged(lost, 4);
    breaker.judged(trusted);
    breaker.judged(lost, 4);
    CHECK(breaker.position() == Position::closed);
  }
}

TEST_CASE("half of the last twenty that cannot be trusted open the circuit") {
  Breaker breaker;
  for (int i = 0; i < 9; ++i) {
    breaker.judged(number);
    breaker.judged(lost);
  }
  CHECK(breaker.position() == Position::closed);
  breaker.judged(number);
  breaker.judged(lost);
  CHECK(breaker.position() == Position::open);
}

TEST_CASE("what lies more than twenty answers back is forgotten") {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) {
    breaker.judged(number, 2);
    breaker.judged(lost);
  }
  CHECK(breaker.position() == Position::closed);
}

TEST_CASE("after the pause a free call goes first, then one exchange, then all") {
  Breaker breaker;
  breaker.open();
  breaker.pass(999ms);
  CHECK_FALSE(breaker.breaker.wants_probe(breaker.now));
  breaker.pass(1ms);
  CHECK(breaker.breaker.wants_probe(breaker.now));
  CHECK(breaker.position() == Position::open);
  breaker.breaker.probed(true, breaker.now);
  CHECK(breaker.position() == Position::trial);
  breaker.breaker.begin_trial();
  CHECK(breaker.position() == Position::trial_sent);
  breaker.breaker.judged(number, true, breaker.now, breaker.wall);
  CHECK(breaker.position() == Position::closed);
}

TEST_CASE("each failed probe or trial doubles the pause, to thirty seconds; a success begins anew") {
  Breaker breaker;
  breaker.open();
  breaker.probe(false);
  CHECK(breaker.pause() == 2s);
  breaker.probe(true);
  breaker.trial(lost);
  CHECK(breaker.position() == Position::open);
  CHECK(breaker.pause() == 4s);
  for (milliseconds const pause : {8s, 16s, 30s, 30s}) {
    breaker.probe(false);
    CHECK(breaker.pause() == pause);
  }
  breaker.probe(true);
  breaker.trial(number);
  breaker.open();
  CHECK(breaker.pause() == 1s);
}

TEST_CASE("after it closed nothing of before is held against WeChat") {
  Breaker breaker;
  breaker.open();
  breaker.probe(true);
  breaker.trial(number);
  breaker.judged(lost, 4);
  CHECK(breaker.position() == Position::closed);
}

TEST_CASE("a trial that was not sent leaves its place to another") {
  Breaker breaker;
  breaker.open();
  breaker.probe(true);
  breaker.breaker.begin_trial();
  breaker.breaker.trial_unused();
  CHECK(breaker.position() == Position::trial);
}

TEST_CASE("answers to what was sent before it opened change nothing") {
  Breaker breaker;
  breaker.open();
  breaker.judged(number);
  breaker.judged(lost, 10);
  CHECK(breaker.position() == Position::open);
  CHECK(breaker.pause() == 1s);
  breaker.probe(true);
  breaker.breaker.begin_trial();
  breaker.judged(number);
  CHECK(breaker.position() == Position::trial_sent);
}

TEST_CASE("a trial overtaken by another outage decides nothing") {
  Breaker breaker;
  breaker.open();
  breaker.probe(true);
  breaker.breaker.begin_trial();
  breaker.breaker.trip(OutageCause::clock_off, breaker.now);
  breaker.breaker.judged(number, true, breaker.now, breaker.wall);
  CHECK(breaker.position() == Position::open);
  CHECK(breaker.breaker.cause() == OutageCause::clock_off);
}

TEST_CASE("WeChat's own limit closes the line until the minute ends; then one exchange tries") {
  Breaker breaker;
  breaker.judged(slower);
  CHECK(breaker.position() == Position::open);
  CHECK(breaker.breaker.cause() == OutageCause::rate_limited);
  CHECK(breaker.pause() == 40s);
  breaker.pass(40s);
  CHECK_FALSE(breaker.breaker.wants_probe(breaker.now));
  breaker.wall += 40s;
  breaker.trial(slower);
  CHECK(breaker.pause() == 60s);
  breaker.pass(60s);
  breaker.trial(code_invalid);
  CHECK(breaker.position() == Position::closed);
}

TEST_CASE("a refused configuration closes the line for five seconds at a time") {
  Breaker breaker;
  breaker.judged(misconfigured);
  CHECK(breaker.breaker.cause() == OutageCause::misconfigured);
  for (int i = 0; i < 5; ++i) {
    CHECK(breaker.pause() == 5s);
    breaker.pass(5s);
    breaker.trial(misconfigured);
  }
}

TEST_CASE("an outage that is told from outside opens it, and once only") {
  Breaker breaker;
  breaker.breaker.trip(OutageCause::dead_token, breaker.now);
  CHECK(breaker.position() == Position::open);
  CHECK(breaker.breaker.cause() == OutageCause::dead_token);
  breaker.breaker.trip(OutageCause::clock_off, breaker.now);
  CHECK(breaker.breaker.cause() == OutageCause::dead_token);
  CHECK(breaker.pause() == 1s);
}
