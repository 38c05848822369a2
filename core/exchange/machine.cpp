#include "core/exchange/machine.hpp"

#include <stdexcept>
#include <utility>

namespace onetap::core {

State state_after(Verdict verdict) {
  switch (verdict) {
    case Verdict::number: return State::ok;
    case Verdict::code_invalid: return State::rejected;
    case Verdict::token_refused:
    case Verdict::rate_limited:
    case Verdict::misconfigured:
    case Verdict::no_quota:
    case Verdict::not_sent: return State::retryable;
    case Verdict::doubt: break;
  }
  return State::in_doubt;
}

ExchangeAction ExchangeMachine::on(ExchangeEvent event) {
  return std::visit([this](auto const& happened) { return take(happened); }, event);
}

ExchangeAction ExchangeMachine::take(event::Presented const& presented) {
  expect(Phase::waiting);
  if (presented.ready) {
    phase_ = Phase::beginning;
    return action::Begin{};
  }
  phase_ = Phase::finding;
  return action::Find{};
}

ExchangeAction ExchangeMachine::take(event::Found const& found) {
  expect(Phase::finding);
  if (auto const* stored = std::get_if<ledger::Stored>(&found.result)) return reply({.outcome = *stored});
  if (auto const* not_yours = std::get_if<ledger::NotYours>(&found.result))
    return reply({.outcome = *not_yours});
  if (std::holds_alternative<ledger::Unavailable>(found.result))
    return reply({.outcome = ledger::Unavailable{}});
  phase_ = Phase::preparing;
  return action::Prepare{};
}

ExchangeAction ExchangeMachine::take(event::Prepared const& prepared) {
  expect(Phase::preparing);
  if (prepared.missing) return reply({.outcome = *prepared.missing});
  phase_ = Phase::beginning;
  return action::Begin{};
}

ExchangeAction ExchangeMachine::take(event::Began const& began) {
  expect(Phase::beginning);
  if (auto const* stored = std::get_if<ledger::Stored>(&began.result)) return reply({.outcome = *stored});
  if (auto const* not_yours = std::get_if<ledger::NotYours>(&began.result))
    return reply({.outcome = *not_yours});
  auto const* started = std::get_if<ledger::Started>(&began.result);
  if (started == nullptr) return reply({.outcome = ledger::Unavailable{}});
  attempt_ = started->attempt;
  phase_ = Phase::calling;
  return action::Call{attempt_};
}

ExchangeAction ExchangeMachine::take(event::Answered const& answered) {
  expect(Phase::calling);
  answer_ = answered.answer;
  bool const once_more = answer_.verdict == Verdict::token_refused && !resent_;
  if (!once_more) return settle();
  phase_ = Phase::refreshing;
  return action::RefreshToken{};
}

ExchangeAction ExchangeMachine::take(event::Refreshed const& refreshed) {
  expect(Phase::refreshing);
  because_ = refreshed.missing;
  if (because_) return settle();
  phase_ = Phase::resending;
  return action::Resend{.refused = attempt_, .errcode = answer_.errcode.value_or(0), .rid = answer_.rid};
}

ExchangeAction ExchangeMachine::take(event::Resent const& resent) {
  expect(Phase::resending);
  if (!resent.attempt) return settle();
  resent_ = true;
  attempt_ = *resent.attempt;
  phase_ = Phase::calling;
  return action::Call{attempt_};
}

ExchangeAction ExchangeMachine::take(event::Settled const& /*settled*/) {
  expect(Phase::settling);
  return reply({.outcome = std::move(answer_), .because = because_});
}

void ExchangeMachine::expect(Phase phase) const {
  if (phase_ != phase) throw std::logic_error("an exchange's event came out of turn");
}

ExchangeAction ExchangeMachine::reply(action::Reply reply) {
  phase_ = Phase::done;
  return reply;
}

ExchangeAction ExchangeMachine::settle() {
  phase_ = Phase::settling;
  return action::Settle{.attempt = attempt_, .state = state_after(answer_.verdict), .answer = answer_};
}

}  // namespace onetap::core
