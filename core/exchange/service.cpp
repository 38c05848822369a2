#include "core/exchange/service.hpp"

#include <algorithm>
#include <utility>

#include "core/exchange/diagnosis.hpp"
#include "core/exchange/presentation.hpp"
#include "core/limits.hpp"
#include "core/seeded_bug.hpp"

namespace onetap::core {

/// An exchange under way, for those who present the same code meanwhile.
struct ConsumeService::Flight {
  std::optional<CallerKey> caller;
  std::optional<PhoneResult> result;
  Signal landed;
};

/// What one exchange holds on its way.
struct ConsumeService::Exchange {
  Intent intent;
  Code code;
  OpenId openid;
  std::optional<EncryptedPhone> encrypted;
  SteadyTime started;
  SteadyTime deadline;
  std::optional<HeldToken> token;
  std::unique_ptr<WeChatLine> line;
  std::unique_ptr<CallControl::Turn> turn;
  Reason reason = Reason::none;

  // Later, WeChat would not get its whole time.
  [[nodiscard]] SteadyTime ready_by() const { return started + limits::exchange_ready_time; }
};

ConsumeService::ConsumeService(Ports ports, milliseconds wechat_answer_time)
    : ports_(ports), wechat_answer_time_(wechat_answer_time) {}

Task<PhoneResult> ConsumeService::consume(ConsumeRequest request) {
  // Awaits under way must not be cut short either: an answer that is on its way would be lost.
  if (!seeded_bug(SeededBug::unshielded)) co_await shield_from_cancellation();
  PhoneResult result = co_await answer(std::move(request));
  if (ports_.observer != nullptr) ports_.observer->answered(result);
  co_return result;
}

Task<PhoneResult> ConsumeService::answer(ConsumeRequest request) {
  if (refuses()) {
    auto const left = std::chrono::ceil<seconds>(refuse_until_ - ports_.clock.steady());
    co_return PhoneResult{wechat_unavailable(left), request.kind};
  }
  CodeKey const code_key = ports_.keyring.code_key(request.appid, request.code);
  auto const found = flights_.find(code_key);
  if (found != flights_.end() && !seeded_bug(SeededBug::no_single_flight)) {
    bool const same_caller = (request.caller && request.caller == found->second->caller) ||
                             seeded_bug(SeededBug::anyone_may_follow);
    if (!same_caller) co_return PhoneResult{problem_for(ledger::NotYours{.in_progress = true}), request.kind};
    co_return co_await follow(found->second);
  }
  if (flights_.size() >= limits::exchanges_in_flight_max) co_return PhoneResult{server_busy(), request.kind};

  auto const flight = std::make_shared<Flight>();
  flight->caller = request.caller;
  flights_.emplace(code_key, flight);
  struct Landing {  // also when a port breaks its promise: nobody may wait for an answer that never comes
    ConsumeService& service;
    CodeKey const& key;
    Flight& flight;
    ~Landing() {
      service.flights_.erase(key);
      flight.landed.notify_all();
    }
  } const landing{.service = *this, .key = code_key, .flight = *flight};
  flight->result = co_await lead(std::move(request), code_key);
  co_return *flight->result;
}

Task<PhoneResult> ConsumeService::follow(std::shared_ptr<Flight> flight) {
  SteadyTime const patience = ports_.clock.steady() + limits::follower_time;
  if (!flight->result) [[maybe_unused]]
    bool const landed = co_await ports_.clock.wait(flight->landed, patience);
  if (!flight->result) co_return PhoneResult{server_busy()};
  PhoneResult result = *flight->result;
  result.replayed = true;
  co_return result;
}

Task<PhoneResult> ConsumeService::lead(ConsumeRequest request, CodeKey code_key) {
  SteadyTime const now = ports_.clock.steady();
  Exchange exchange{.intent = {.code_key = code_key,
                               .caller = request.caller,
                               .user = request.user,
                               .appid = std::move(request.appid),
                               .kind = request.kind,
                               .request_id = std::move(request.request_id),
                               .scene = std::move(request.scene),
                               .out_id = std::move(request.out_id),
                               .client_env = request.client_env,
                               .at = ports_.clock.wall()},
                    .code = std::move(request.code),
                    .openid = std::move(request.openid),
                    .encrypted = std::move(request.encrypted),
                    .started = now,
                    .deadline = now + wechat_answer_time_ + limits::exchange_time_beyond_wechat,
                    .token = ports_.tokens.current(),
                    .line = ports_.wechat.take_line(),
                    .turn = nullptr,
                    .reason = Reason::none};
  if (exchange.token && exchange.line) exchange.turn = ports_.calls.try_take();
  ExchangeMachine machine;
  bool const rescuable = exchange.encrypted && exchange.intent.user;
  ExchangeAction next =
      machine.on(event::Presented{.ready = exchange.turn != nullptr, .rescuable = rescuable});
  while (!std::holds_alternative<action::Reply>(next)) {
    ExchangeEvent happened =
        co_await std::visit([&](auto act) { return perform(exchange, std::move(act)); }, std::move(next));
    next = machine.on(std::move(happened));
  }
  co_return present(exchange, std::get<action::Reply>(next));
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Find /*action*/) {
  ledger::FindResult result = co_await ports_.ledger.find(exchange.intent);
  co_return event::Found{std::move(result)};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Prepare /*action*/) {
  CallControl::Taken taken = co_await ports_.calls.take(exchange.ready_by());
  if (!taken.turn) co_return event::Prepared{taken.missing};
  exchange.turn = std::move(taken.turn);
  std::optional<Unready> missing = co_await get_token(exchange, exchange.ready_by());
  if (!missing) missing = co_await get_line(exchange);
  co_return event::Prepared{missing};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Begin /*action*/) {
  ledger::BeginResult result = co_await ports_.ledger.begin(exchange.intent);
  co_return event::Began{std::move(result)};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Call /*action*/) {
  WeChatReply const reply = co_await ports_.wechat.get_user_phone_number(
      std::move(exchange.line), exchange.token->token, exchange.code, exchange.openid, wechat_answer_time_,
      exchange.deadline);
  Answer answer = judge_phone_answer(reply, exchange.intent.appid, ports_.clock.wall());
  exchange.turn->judged(answer);
  co_return event::Answered{std::move(answer)};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::RefreshToken /*action*/) {
  ports_.tokens.drop(exchange.token->generation);
  exchange.token.reset();
  std::optional<Unready> missing = co_await get_token(exchange, exchange.deadline);
  if (exchange.token && exchange.token->was_refused) {  // and would be again
    ports_.calls.token_is_dead();
    missing = ports_.calls.refusal();
  }
  co_return event::Refreshed{missing};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Resend action) {
  Resend refused{
      .refused = action.refused, .errcode = action.errcode, .rid = action.rid, .at = ports_.clock.wall()};
  std::optional<AttemptId> const attempt = co_await ports_.ledger.resend(std::move(refused));
  co_return event::Resent{attempt};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Settle action) {
  exchange.turn.reset();
  if (action.state == State::ok || action.state == State::in_doubt)
    ports_.charged(exchange.intent.kind, exchange.intent.user);
  if (action.state == State::rejected) co_await find_reason(exchange);
  Settlement settlement{.attempt = action.attempt,
                        .state = action.state,
                        .cause = action.answer.cause,
                        .errcode = action.answer.errcode,
                        .rid = action.answer.rid,
                        .reason = exchange.reason,
                        .sealed_number = {},
                        .phone_mask = {},
                        .phone_key = {},
                        .at = ports_.clock.wall()};
  if (action.answer.number) {
    settlement.sealed_number = ports_.keyring.seal(exchange.intent.code_key, *action.answer.number);
    settlement.phone_mask = action.answer.number->mask();
    settlement.phone_key = ports_.keyring.phone_key(*action.answer.number);
  }
  co_await ports_.ledger.settle(std::move(settlement));
  log_exchange(exchange, action);
  if (ports_.observer != nullptr) {
    SteadyTime::duration const took = ports_.clock.steady() - exchange.started;
    ports_.observer->settled(exchange.intent.kind, action.state, action.answer, took);
  }
  co_return event::Settled{};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& exchange, action::Rescue action) {
  if (action.kind) exchange.intent.kind = *action.kind;
  Intent const& intent = exchange.intent;
  WallTime const now = ports_.clock.wall();
  DecryptResult result = co_await decrypt_phone(ports_.sessions, ports_.keyring, *exchange.encrypted,
                                                intent.appid, *intent.user, now);
  auto* const number = std::get_if<PhoneNumber>(&result);
  if (number == nullptr) {
    bool const was_read = std::holds_alternative<Undecryptable>(result);
    log_rescue(exchange, action.consumption, was_read ? "undecryptable" : "no_session_keys");
    co_return event::Rescued{};
  }
  CodeKey const blob_key = ports_.keyring.blob_key(intent.appid, exchange.encrypted->encrypted_data);
  Rescue rescue{.code_key = intent.code_key,
                .caller = *intent.user,
                .blob_key = blob_key,
                .sealed_number = ports_.keyring.seal(intent.code_key, *number),
                .sealed_blob_number = ports_.keyring.seal(blob_key, *number),
                .phone_mask = number->mask(),
                .phone_key = ports_.keyring.phone_key(*number),
                .at = now};
  bool const rescued = co_await ports_.ledger.rescue(std::move(rescue));
  log_rescue(exchange, action.consumption, rescued ? "ok" : "refused");
  if (!rescued) co_return event::Rescued{};
  co_return event::Rescued{std::move(*number)};
}

Task<ExchangeEvent> ConsumeService::perform(Exchange& /*exchange*/, action::Reply /*action*/) {
  throw std::logic_error("a reply ends the exchange");
  co_return event::Settled{};
}

Task<std::optional<Unready>> ConsumeService::get_token(Exchange& exchange, SteadyTime deadline) {
  if (!exchange.token) exchange.token = co_await ports_.tokens.get(deadline);
  if (exchange.token) co_return std::nullopt;
  // Whoever comes back then must find that a token was asked for meanwhile.
  auto const due = std::chrono::ceil<seconds>(ports_.tokens.until_next_fetch()) + seconds(1);
  auto const why = ports_.tokens.misconfigured() ? Unready::Why::token_misconfigured : Unready::Why::no_token;
  co_return Unready{.why = why, .retry_after = due};
}

Task<std::optional<Unready>> ConsumeService::get_line(Exchange& exchange) {
  if (exchange.line) co_return std::nullopt;
  LineResult opened = co_await ports_.wechat.open_line(exchange.ready_by());
  exchange.line = std::move(opened.line);
  if (exchange.line) co_return std::nullopt;
  ports_.log.warn("wechat_unreachable", {{"request_id", exchange.intent.request_id},
                                         {"failure", to_string(opened.failure)},
                                         {"detail", opened.failure_detail}});
  exchange.turn->judged({.verdict = Verdict::not_sent});
  co_return Unready{.why = Unready::Why::no_line};
}

// Before it is settled, so that a stored refusal keeps its reason.
Task<> ConsumeService::find_reason(Exchange& exchange) {
  ledger::Trace const trace = co_await ports_.ledger.trace(exchange.intent.code_key);
  exchange.reason = diagnose(exchange.code, trace, ports_.clock.wall());
  log_trace(exchange, trace);
}

PhoneResult ConsumeService::present(Exchange const& exchange, action::Reply const& reply) {
  Kind const kind = exchange.intent.kind;
  if (auto const* answer = std::get_if<Answer>(&reply.outcome)) {
    if (answer->number) return {*answer->number, kind};
    Problem problem = problem_for(*answer, reply.because, ports_.clock.wall());
    problem.reason = to_string(exchange.reason);
    return {std::move(problem), kind};
  }
  if (auto const* stored = std::get_if<ledger::Stored>(&reply.outcome)) {
    if (stored->state != State::ok) {
      Problem problem = problem_for(*stored);
      problem.reason = to_string(stored->reason);
      return {std::move(problem), stored->kind, true};
    }
    auto number = ports_.keyring.open(exchange.intent.code_key, stored->sealed_number);
    if (number) return {std::move(*number), stored->kind, true};
    ports_.log.error("sealed_number_unreadable", {{"consumption", stored->consumption}});
    return {Problem{.code = ProblemCode::internal, .charged = Charged::yes}, stored->kind};
  }
  if (auto const* not_yours = std::get_if<ledger::NotYours>(&reply.outcome)) {
    ports_.log.info("code_of_another_request", {{"request_id", exchange.intent.request_id},
                                                {"app", exchange.intent.appid},
                                                {"consumption", not_yours->consumption},
                                                {"by_request", not_yours->request_id},
                                                {"at", not_yours->at ? unix_seconds(*not_yours->at) : 0}});
    return {problem_for(*not_yours), kind};
  }
  if (auto const* unready = std::get_if<Unready>(&reply.outcome)) return {problem_for(*unready), kind};
  return {storage_unavailable(), kind};
}

void ConsumeService::log_trace(Exchange const& exchange, ledger::Trace const& trace) const {
  if (trace.used) {
    ports_.log.info("code_consumed_before", {{"request_id", exchange.intent.request_id},
                                             {"app", exchange.intent.appid},
                                             {"consumption", trace.used->consumption},
                                             {"by_request", trace.used->request_id},
                                             {"at", unix_seconds(trace.used->at)}});
  }
  if (trace.issued) {
    ports_.log.info("code_issued_before", {{"request_id", exchange.intent.request_id},
                                           {"app", exchange.intent.appid},
                                           {"at", unix_seconds(*trace.issued)}});
  }
}

void ConsumeService::log_rescue(Exchange const& exchange, std::int64_t consumption,
                                std::string_view outcome) const {
  ports_.log.info("rescue", {{"request_id", exchange.intent.request_id},
                             {"app", exchange.intent.appid},
                             {"consumption", consumption},
                             {"path", "rescue"},
                             {"outcome", outcome}});
}

void ConsumeService::log_exchange(Exchange const& exchange, action::Settle const& settled) const {
  auto const took = std::chrono::duration<double, std::milli>(ports_.clock.steady() - exchange.started);
  ports_.log.info("exchange", {{"request_id", exchange.intent.request_id},
                               {"app", exchange.intent.appid},
                               {"consumption", settled.attempt.consumption},
                               {"attempt", settled.attempt.number},
                               {"outcome", to_string(settled.state)},
                               {"cause", to_string(settled.answer.cause)},
                               {"errcode", settled.answer.errcode.value_or(0)},
                               {"rid", settled.answer.rid},
                               {"hint", settled.answer.hint},
                               {"reason", to_string(exchange.reason)},
                               {"latency_ms", took.count()}});
  std::string_view const alarm = alarm_of(settled.answer);
  if (alarm.empty()) return;
  ports_.log.error(alarm, {{"request_id", exchange.intent.request_id},
                           {"app", exchange.intent.appid},
                           {"consumption", settled.attempt.consumption},
                           {"errcode", settled.answer.errcode.value_or(0)},
                           {"rid", settled.answer.rid},
                           {"hint", settled.answer.hint}});
  ports_.alarmed(alarm, settled.answer);
}

}  // namespace onetap::core
