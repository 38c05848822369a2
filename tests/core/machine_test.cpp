#include "core/exchange/machine.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <vector>

using namespace onetap::core;

namespace {

Answer answered(Verdict verdict) { return {.verdict = verdict}; }

// Every event that a driver could report, with every content that matters to the machine.
std::vector<ExchangeEvent> all_events() {
  std::vector<ExchangeEvent> events{
      event::Presented{true},
      event::Presented{false},
      event::Found{ledger::Fresh{}},
      event::Found{ledger::Stored{}},
      event::Found{ledger::NotYours{}},
      event::Found{ledger::Unavailable{}},
      event::Prepared{},
      event::Prepared{Unready::no_line},
      event::Began{ledger::Started{{7, 1}}},
      event::Began{ledger::Stored{}},
      event::Began{ledger::NotYours{}},
      event::Began{ledger::Unavailable{}},
      event::Refreshed{},
      event::Refreshed{Unready::no_token},
      event::Resent{AttemptId{7, 2}},
      event::Resent{},
      event::Settled{},
  };
  for (Verdict const verdict :
       {Verdict::number, Verdict::code_invalid, Verdict::token_refused, Verdict::rate_limited,
        Verdict::misconfigured, Verdict::no_quota, Verdict::not_sent, Verdict::doubt}) {
    events.emplace_back(event::Answered{answered(verdict)});
  }
  return events;
}

struct History {
  std::vector<ExchangeEvent> events;
  int calls = 0;
  int settles = 0;
  int replies = 0;
  bool intent_durable = false;
  int open_attempt = 0;
  Verdict last_verdict = Verdict::not_sent;
};

// What must be true whatever has happened so far.
void check_step(History& history, ExchangeAction const& action) {
  if (auto const* call = std::get_if<action::Call>(&action)) {
    ++history.calls;
    CHECK(history.intent_durable);
    CHECK(history.calls <= 2);
    if (history.calls == 2) CHECK(history.last_verdict == Verdict::token_refused);
    CHECK(call->attempt.number == history.calls);
    history.open_attempt = call->attempt.number;
  }
  if (auto const* settle = std::get_if<action::Settle>(&action)) {
    ++history.settles;
    CHECK(history.settles == 1);
    CHECK(settle->attempt.number == history.open_attempt);
    CHECK(settle->state == state_after(settle->answer.verdict));
  }
  if (std::holds_alternative<action::Reply>(action)) {
    ++history.replies;
    CHECK(history.settles == (history.calls > 0 ? 1 : 0));
  }
}

void note(History& history, ExchangeEvent const& event) {
  history.events.push_back(event);
  if (auto const* began = std::get_if<event::Began>(&event)) {
    history.intent_durable = std::holds_alternative<ledger::Started>(began->result);
  }
  if (auto const* answer = std::get_if<event::Answered>(&event))
    history.last_verdict = answer->answer.verdict;
}

struct Walk {
  std::vector<ExchangeEvent> events = all_events();
  int sequences = 0;
  int refused = 0;

  void from(ExchangeMachine const& machine, History const& history) {
    for (ExchangeEvent const& event : events) {
      ExchangeMachine next = machine;
      History then = history;
      try {
        note(then, event);
        ExchangeAction const action = next.on(event);
        CHECK(then.replies == 0);  // nothing comes after the reply
        check_step(then, action);
      } catch (std::logic_error const&) {
        ++refused;
        continue;
      }
      ++sequences;
      from(next, then);
    }
  }
};

}  // namespace

TEST_CASE(
    "whatever happens in whatever order, an exchange calls after the intent, settles once and replies once") {
  Walk walk;
  walk.from(ExchangeMachine(), History());
  CHECK(walk.sequences > 50);
  CHECK(walk.refused > walk.sequences);
}

TEST_CASE("with token and line at hand the intent is written at once") {
  ExchangeMachine machine;
  ExchangeAction const first = machine.on(event::Presented{true});
  CHECK(std::holds_alternative<action::Begin>(first));
}

TEST_CASE("without them the ledger is asked first, so that replays work while WeChat is down") {
  ExchangeMachine machine;
  ExchangeAction const first = machine.on(event::Presented{false});
  CHECK(std::holds_alternative<action::Find>(first));
  ExchangeAction const second = machine.on(event::Found{ledger::Stored{.state = State::ok}});
  REQUIRE(std::holds_alternative<action::Reply>(second));
  CHECK(std::holds_alternative<ledger::Stored>(std::get<action::Reply>(second).outcome));
}

TEST_CASE("a refused token leads to one more attempt, and a second refusal ends it") {
  ExchangeMachine machine;
  (void)machine.on(event::Presented{true});
  (void)machine.on(event::Began{ledger::Started{{7, 1}}});
  CHECK(std::holds_alternative<action::RefreshToken>(
      machine.on(event::Answered{answered(Verdict::token_refused)})));
  CHECK(std::holds_alternative<action::Resend>(machine.on(event::Refreshed{})));
  CHECK(std::holds_alternative<action::Call>(machine.on(event::Resent{AttemptId{7, 2}})));
  ExchangeAction const last = machine.on(event::Answered{answered(Verdict::token_refused)});
  REQUIRE(std::holds_alternative<action::Settle>(last));
  CHECK(std::get<action::Settle>(last).state == State::retryable);
  CHECK(std::get<action::Settle>(last).attempt == AttemptId{7, 2});
}

TEST_CASE("doubt settles as doubt and never leads to another call") {
  ExchangeMachine machine;
  (void)machine.on(event::Presented{true});
  (void)machine.on(event::Began{ledger::Started{{7, 1}}});
  ExchangeAction const settle = machine.on(event::Answered{answered(Verdict::doubt)});
  REQUIRE(std::holds_alternative<action::Settle>(settle));
  CHECK(std::get<action::Settle>(settle).state == State::in_doubt);
  CHECK(std::holds_alternative<action::Reply>(machine.on(event::Settled{})));
}

TEST_CASE("every verdict leads to the state of the ledger's table") {
  CHECK(state_after(Verdict::number) == State::ok);
  CHECK(state_after(Verdict::code_invalid) == State::rejected);
  for (Verdict const refused : {Verdict::token_refused, Verdict::rate_limited, Verdict::misconfigured,
                                Verdict::no_quota, Verdict::not_sent}) {
    CHECK(state_after(refused) == State::retryable);
  }
  CHECK(state_after(Verdict::doubt) == State::in_doubt);
}
