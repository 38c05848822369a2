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
      event::Presented{.ready = true},
      event::Presented{.ready = false},
      event::Presented{.ready = true, .rescuable = true},
      event::Presented{.ready = false, .rescuable = true},
      event::Found{ledger::Fresh{}},
      event::Found{ledger::Stored{.consumption = 7, .state = State::ok}},
      event::Found{ledger::Stored{.consumption = 7, .state = State::rejected}},
      event::Found{ledger::Stored{.consumption = 7, .state = State::in_doubt}},
      event::Found{ledger::NotYours{}},
      event::Found{ledger::Unavailable{}},
      event::Prepared{},
      event::Prepared{Unready{Unready::Why::no_line}},
      event::Began{ledger::Started{{7, 1}}},
      event::Began{ledger::Stored{.consumption = 7, .state = State::ok}},
      event::Began{ledger::Stored{.consumption = 7, .state = State::rejected}},
      event::Began{ledger::Stored{.consumption = 7, .state = State::in_doubt}},
      event::Began{ledger::NotYours{}},
      event::Began{ledger::Unavailable{}},
      event::Refreshed{},
      event::Refreshed{Unready{Unready::Why::no_token}},
      event::Resent{AttemptId{7, 2}},
      event::Resent{},
      event::Settled{},
      event::Rescued{PhoneNumber{}},
      event::Rescued{},
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
  int rescues = 0;
  bool rescuable = false;
  bool doubt_durable = false;
  bool rescued = false;
  bool intent_durable = false;
  int open_attempt = 0;
  Verdict last_verdict = Verdict::not_sent;
};

bool says_doubt(action::Reply const& reply) {
  auto const* const answer = std::get_if<Answer>(&reply.outcome);
  auto const* const stored = std::get_if<ledger::Stored>(&reply.outcome);
  return (answer != nullptr && answer->verdict == Verdict::doubt) ||
         (stored != nullptr && stored->state == State::in_doubt);
}

bool is_in_doubt(ledger::Stored const* stored) {
  return stored != nullptr && stored->state == State::in_doubt;
}

// What must be true whatever has happened so far.
void check_step(History& history, ExchangeAction const& action) {
  if (auto const* call = std::get_if<action::Call>(&action)) {
    ++history.calls;
    CHECK(history.intent_durable);
    CHECK(history.rescues == 0);
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
  if (auto const* rescue = std::get_if<action::Rescue>(&action)) {
    ++history.rescues;
    CHECK(history.rescues == 1);
    CHECK(history.rescuable);
    CHECK(history.doubt_durable);
    CHECK(rescue->consumption == 7);
  }
  if (auto const* reply = std::get_if<action::Reply>(&action)) {
    ++history.replies;
    CHECK(history.settles == (history.calls > 0 ? 1 : 0));
    CHECK(says_doubt(*reply) == (history.doubt_durable && !history.rescued));
    CHECK(history.rescues == (history.rescuable && history.doubt_durable ? 1 : 0));
  }
}

void note(History& history, ExchangeEvent const& event) {
  history.events.push_back(event);
  if (auto const* presented = std::get_if<event::Presented>(&event)) history.rescuable = presented->rescuable;
  if (auto const* found = std::get_if<event::Found>(&event))
    history.doubt_durable = is_in_doubt(std::get_if<ledger::Stored>(&found->result));
  if (auto const* began = std::get_if<event::Began>(&event)) {
    history.intent_durable = std::holds_alternative<ledger::Started>(began->result);
    history.doubt_durable = is_in_doubt(std::get_if<ledger::Stored>(&began->result));
  }
  if (auto const* answer = std::get_if<event::Answered>(&event))
    history.last_verdict = answer->answer.verdict;
  if (std::holds_alternative<event::Settled>(event))
    history.doubt_durable = history.last_verdict == Verdict::doubt;
  if (auto const* rescued = std::get_if<event::Rescued>(&event))
    history.rescued = rescued->number.has_value();
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

TEST_CASE("doubt whose number came along is rescued once it is durable, and the number is the reply") {
  ExchangeMachine machine;
  (void)machine.on(event::Presented{.ready = true, .rescuable = true});
  (void)machine.on(event::Began{ledger::Started{{7, 1}}});
  CHECK(std::holds_alternative<action::Settle>(machine.on(event::Answered{answered(Verdict::doubt)})));
  ExchangeAction const rescue = machine.on(event::Settled{});
  REQUIRE(std::holds_alternative<action::Rescue>(rescue));
  CHECK(std::get<action::Rescue>(rescue).consumption == 7);
  ExchangeAction const last = machine.on(event::Rescued{PhoneNumber{.country_code = "86"}});
  REQUIRE(std::holds_alternative<action::Reply>(last));
  auto const& answer = std::get<Answer>(std::get<action::Reply>(last).outcome);
  CHECK(answer.verdict == Verdict::number);
  CHECK(answer.number->country_code == "86");
}

TEST_CASE("a rescue that fails leaves the reply as it would have been") {
  ExchangeMachine machine;
  (void)machine.on(event::Presented{.ready = false, .rescuable = true});
  ledger::Stored const doubt{.consumption = 9, .state = State::in_doubt, .cause = Cause::crash};
  ExchangeAction const rescue = machine.on(event::Found{doubt});
  REQUIRE(std::holds_alternative<action::Rescue>(rescue));
  CHECK(std::get<action::Rescue>(rescue).consumption == 9);
  ExchangeAction const last = machine.on(event::Rescued{});
  REQUIRE(std::holds_alternative<action::Reply>(last));
  auto const& stored = std::get<ledger::Stored>(std::get<action::Reply>(last).outcome);
  CHECK(stored.consumption == 9);
  CHECK(stored.cause == Cause::crash);
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
