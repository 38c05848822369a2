#include "core/exchange/machine.hpp"

#include <stdexcept>
#include <utility>

namespace onetap::core {
namespace {

/// Of a reply that leaves doubt; `attempted` is the attempt that this exchange settled.
std::optional<action::Rescue> rescue_before(action::Reply const& reply, AttemptId attempted) {
  std::optional<action::Rescue> rescue;
  if (auto const* answer = std::get_if<Answer>(&reply.outcome)) {
    bool const in_doubt = state_after(answer->verdict) == State::in_doubt;
    if (in_doubt) rescue = action::Rescue{.consumption = attempted.consumption};
  } else if (auto const* stored = std::get_if<ledger::Stored>(&reply.outcome)) {
    bool const in_doubt = stored->state == State::in_doubt;
    if (in_doubt) rescue = action::Rescue{.consumption = stored->consumption, .kind = stored->kind};
  }
  return rescue;
}

}  // namespace

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
  rescuable_ = presented.rescuable;
  if (presented.ready) {
    phase_ = Phase::beginning;
    return action::Begin{};
  }
  phase_ = Phase::finding;
  return action::Find{};
}

ExchangeAction ExchangeMachine::take(event::Found const& found) {
  expect(Phase::finding);
  if (auto const* stored = std::get_if<ledger::Stored>(&found.result))
    return reply_or_rescue({.outcome = *stored});
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
  if (auto const* stored = std::get_if<ledger::Stored>(&began.result))
    return reply_or_rescue({.outcome = *stored});
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
  return reply_or_rescue({.outcome = std::move(answer_), .because = because_});
}

ExchangeAction ExchangeMachine::take(event::Rescued const& rescued) {
  expect(Phase::rescuing);
  if (!rescued.number) return reply(std::move(unless_rescued_));
  return reply({.outcome = Answer{.verdict = Verdict::number, .number = rescued.number}});
}

void ExchangeMachine::expect(Phase phase) const {
  if (phase_ != phase) throw std::logic_error("an exchange's event came out of turn");
}

ExchangeAction ExchangeMachine::reply(action::Reply reply) {
  phase_ = Phase::done;
  return reply;
}

ExchangeAction ExchangeMachine::reply_or_rescue(action::Reply unless_rescued) {
  auto const rescue = rescue_before(unless_rescued, attempt_);
  if (!rescuable_ || !rescue) return reply(std::move(unless_rescued));
  phase_ = Phase::rescuing;
  unless_rescued_ = std::move(unless_rescued);
  return *rescue;
}

ExchangeAction ExchangeMachine::settle() {
  phase_ = Phase::settling;
  return action::Settle{.attempt = attempt_, .state = state_after(answer_.verdict), .answer = answer_};
}

}  // namespace onetap::core
