#include "core/exchange/call_control.hpp"

#include <algorithm>
#include <utility>

#include "core/limits.hpp"
#include "core/seeded_bug.hpp"

namespace onetap::core {
namespace {

using Position = CircuitBreaker::Position;

Unready::Why why_of(OutageCause cause) {
  switch (cause) {
    case OutageCause::misconfigured: return Unready::Why::misconfigured;
    case OutageCause::clock_off: return Unready::Why::clock_off;
    default: return Unready::Why::circuit_open;
  }
}

std::string_view hint_of(OutageCause cause) {
  switch (cause) {
    case OutageCause::untrusted_answers:
      return "WeChat's answers are lost or garbled: codes wait at the page until a free call is answered";
    case OutageCause::rate_limited: return "WeChat wants fewer calls: codes wait at the page";
    case OutageCause::misconfigured: return "see wechat_refused_configuration above";
    case OutageCause::dead_token:
      return "WeChat gives a token again that it refuses: does another service fetch tokens by force?";
    case OutageCause::clock_off: break;
  }
  return "this machine's clock is more than 5 minutes off WeChat's: put it right (NTP)";
}

}  // namespace

CallControl::Turn::~Turn() { control_.give_back(is_trial_); }
void CallControl::Turn::judged(Answer const& answer) { control_.judged(answer, is_trial_); }

void CallControl::look_at_clock() {
  SteadyTime const now = ports_.clock.steady();
  bool const is_unusable = ports_.skew.is_unusable(ports_.clock.wall(), now);
  if (is_unusable && breaker_.position(now) != Position::open) trip(OutageCause::clock_off);
}

bool CallControl::is_free() const {
  Position const position = breaker_.position(ports_.clock.steady());
  bool const may_go =
      position == Position::closed || position == Position::trial || seeded_bug(SeededBug::turns_while_open);
  bool const has_room = turns_out_ < limits::wechat_calls_max || seeded_bug(SeededBug::turns_without_bound);
  return may_go && has_room;
}

std::unique_ptr<CallControl::Turn> CallControl::grant() {
  bool const is_trial = breaker_.position(ports_.clock.steady()) == Position::trial;
  if (is_trial) breaker_.begin_trial();
  ++turns_out_;
  return std::unique_ptr<Turn>(new Turn(*this, is_trial));
}

std::unique_ptr<CallControl::Turn> CallControl::try_take() {
  look_at_clock();
  if (!waiters_.empty() || !is_free()) return nullptr;
  return grant();
}

Task<CallControl::Taken> CallControl::take(SteadyTime deadline) {
  if (auto turn = try_take()) co_return Taken{.turn = std::move(turn)};
  if (auto refused = refusal()) co_return Taken{.turn = nullptr, .missing = *refused};
  Waiter waiter;
  struct Place {  // also when the frame goes while it waits
    Queue& queue;
    Waiter& waiter;
    Place(Queue& its_queue, Waiter& its_waiter) : queue(its_queue), waiter(its_waiter) {
      queue.push_back(&waiter);
    }
    Place(Place const&) = delete;
    Place& operator=(Place const&) = delete;
    ~Place() { queue.remove(&waiter); }
  };
  if (!stopping_) {
    Place const place(waiters_, waiter);
    [[maybe_unused]] bool const told = co_await ports_.clock.wait(waiter.ready, deadline);
  }
  if (waiter.turn) co_return Taken{.turn = std::move(waiter.turn)};
  co_return Taken{.turn = nullptr, .missing = refusal().value_or(Unready{.why = Unready::Why::no_turn})};
}

std::optional<Unready> CallControl::refusal() {
  look_at_clock();
  SteadyTime const now = ports_.clock.steady();
  if (breaker_.position(now) != Position::open) return std::nullopt;
  auto const left = std::chrono::ceil<seconds>(breaker_.opens_until() - now);
  return Unready{.why = why_of(breaker_.cause()), .retry_after = std::max(left, seconds(1))};
}

CallStatistics CallControl::statistics() const {
  return {.position = breaker_.position(ports_.clock.steady()),
          .opened = opened_,
          .under_way = turns_out_,
          .waiting = waiters_.size()};
}

std::optional<OutageCause> CallControl::outage() {
  look_at_clock();
  if (breaker_.position(ports_.clock.steady()) == Position::closed) return std::nullopt;
  return breaker_.cause();
}

void CallControl::token_is_dead() { trip(OutageCause::dead_token); }

void CallControl::give_back(bool is_trial) {
  --turns_out_;
  bool const undecided = is_trial && breaker_.position(ports_.clock.steady()) == Position::trial_sent;
  if (undecided && !seeded_bug(SeededBug::trial_never_ends)) breaker_.trial_unused();
  serve_waiters();
}

void CallControl::judged(Answer const& answer, bool is_trial) {
  Position const before = breaker_.position(ports_.clock.steady());
  breaker_.judged(answer, is_trial, ports_.clock.steady(), ports_.clock.wall());
  changed(before);
}

void CallControl::trip(OutageCause cause) {
  Position const before = breaker_.position(ports_.clock.steady());
  breaker_.trip(cause, ports_.clock.steady());
  changed(before);
}

void CallControl::changed(Position before) {
  SteadyTime const now = ports_.clock.steady();
  Position const after = breaker_.position(now);
  if (after == before) return;
  if (after == Position::open) {
    ++opened_.at(static_cast<std::size_t>(breaker_.cause()));
    auto const pause = std::chrono::ceil<milliseconds>(breaker_.opens_until() - now);
    ports_.log.error("circuit_opened", {{"app", appid_},
                                        {"cause", to_string(breaker_.cause())},
                                        {"pause_ms", pause.count()},
                                        {"hint", hint_of(breaker_.cause())}});
    wake_run_.notify_all();
  } else if (after == Position::closed) {
    ports_.log.always("circuit_closed", {{"app", appid_}});
  }
  serve_waiters();
}

void CallControl::serve_waiters() {
  while (!waiters_.empty()) {
    bool const refused = breaker_.position(ports_.clock.steady()) == Position::open || stopping_;
    if (!refused && !is_free()) return;
    Waiter& next = *waiters_.front();
    waiters_.pop_front();
    if (!refused) next.turn = grant();
    next.ready.notify_all();
  }
}

Task<> CallControl::run() {
  co_await shield_from_cancellation();
  while (!stopping_) {
    SteadyTime const now = ports_.clock.steady();
    if (breaker_.wants_probe(now)) {
      co_await probe();
      continue;
    }
    bool const is_open = breaker_.position(now) == Position::open;
    SteadyTime const next = is_open ? breaker_.opens_until() : SteadyTime::max();
    [[maybe_unused]] bool const woken = co_await ports_.clock.wait(wake_run_, next);
  }
}

void CallControl::stop() {
  stopping_ = true;
  wake_run_.notify_all();
  serve_waiters();
}

// Costs nothing and goes to the same host: only one that is answered as a free call should be is trusted.
Task<> CallControl::probe() {
  OutageCause const cause = breaker_.cause();
  SteadyTime const deadline = ports_.clock.steady() + limits::probe_time;
  auto const token = co_await ports_.tokens.get(deadline);
  ProbeAnswer answer{.trusted = false, .hint = "no access_token"};
  if (token) {
    WeChatReply const reply = co_await ports_.wechat.get_api_quota(token->token, deadline);
    answer = judge_probe_answer(reply);
    if (answer.token_refused) ports_.tokens.drop(token->generation);
  }
  bool const clock_is_off = ports_.skew.is_unusable(ports_.clock.wall(), ports_.clock.steady());
  bool const token_is_dead = answer.token_refused && cause == OutageCause::dead_token;
  bool const trusted = answer.trusted && !clock_is_off && !token_is_dead;
  Position const before = breaker_.position(ports_.clock.steady());
  breaker_.probed(trusted, ports_.clock.steady());
  auto const left = std::chrono::ceil<milliseconds>(breaker_.opens_until() - ports_.clock.steady());
  ports_.log.warn("circuit_probed", {{"app", appid_},
                                     {"cause", to_string(cause)},
                                     {"answered", trusted},
                                     {"pause_ms", std::max(left, milliseconds(0)).count()},
                                     {"hint", answer.hint}});
  changed(before);
}

}  // namespace onetap::core
