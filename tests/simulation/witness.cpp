#include "tests/simulation/witness.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "core/exchange/problem.hpp"
#include "core/limits.hpp"

namespace onetap::simulation {
namespace {

using namespace std::chrono_literals;
using core::Cause;
using core::ProblemCode;
using core::State;

constexpr int calls_at_once_allowed = 128;
constexpr int calls_of_one_attempt_allowed = 2;  // the second with another token
constexpr auto exchange_time = 4500ms;           // 3 s of WeChat's and 1.5 s beside it, as the contract says
constexpr auto replay_window = 600s;
constexpr auto clock_off_allowed = 300s;
constexpr auto watermark_age_allowed = 600s;
constexpr auto inexact = 5s;  // of what is known to the second, or was looked at a while ago

bool may_move(std::optional<State> from, State to) {
  if (!from) return to == State::sending;
  switch (*from) {
    case State::sending: return to != State::sending;
    case State::retryable: return to == State::sending || to == State::in_doubt;
    default: return false;  // a rescue has its own way
  }
}

bool is_trusted(Fate fate) {
  FateRule const& rule = rule_of(fate);
  return rule.state != State::in_doubt && rule.cause != Cause::not_sent;
}

std::uint64_t mixed(std::uint64_t digest, std::string_view text) {
  for (char const letter : text) digest = (digest ^ static_cast<unsigned char>(letter)) * 1099511628211U;
  return digest;
}

std::uint64_t mixed(std::uint64_t digest, std::int64_t figure) {
  return (digest ^ static_cast<std::uint64_t>(figure)) * 1099511628211U;
}

std::int64_t figure_in(std::string_view line, std::string_view name) {
  std::int64_t figure = 0;
  auto const found = line.find(name);
  if (found == std::string_view::npos) return figure;
  std::string_view const rest = line.substr(found + name.size());
  std::from_chars(rest.data(), rest.data() + rest.size(), figure);
  return figure;
}

}  // namespace

std::string_view to_string(Await await) {
  constexpr std::array<std::string_view, awaits> names{"nothing",
                                                       "the ledger's find",
                                                       "turn, token or line",
                                                       "T1, not durable",
                                                       "T1, durable",
                                                       "request",
                                                       "answer",
                                                       "a new token",
                                                       "a refused code's trace",
                                                       "re-send, not durable",
                                                       "re-send, durable",
                                                       "T2, not durable",
                                                       "T2, durable",
                                                       "session_keys",
                                                       "rescue, not durable",
                                                       "rescue, durable"};
  return names[static_cast<std::size_t>(await)];
}

void Witness::note(int code, std::string_view what, std::string_view detail, std::int64_t figure) {
  Note const noted{.step = step_,
                   .at_ms = clock_.since_start().count(),
                   .code = code,
                   .what = what,
                   .detail = detail,
                   .figure = figure};
  for (std::int64_t const part : {noted.step, noted.at_ms, std::int64_t{code}, figure})
    digest_ = mixed(digest_, part);
  digest_ = mixed(mixed(digest_, what), detail);
  notes_.push_back(noted);
}

void Witness::fail(int code, std::string_view rule) {
  if (broken_) return;
  note(code, "BROKEN:", rule);
  broken_rule_ = rule;
  broken_ = std::string(rule) + "\n  step " + std::to_string(step_) + ", code " + std::to_string(code) +
            "\n" + history(code);
}

std::string Witness::history(int code) const {
  constexpr int of_all = -1;
  constexpr std::ptrdiff_t last_of_all = 60;
  std::string text;
  auto const own = std::ranges::find(notes_, code, &Note::code);
  auto const recent = notes_.end() - std::min(last_of_all, std::ssize(notes_));
  for (Note const& known : std::ranges::subrange(code == of_all ? recent : own, notes_.end())) {
    if (known.code != code && known.code != of_all && code != of_all) continue;
    std::array<char, 64> when{};
    std::snprintf(when.data(), when.size(), "  %8lld %10.3f s  ", static_cast<long long>(known.step),
                  static_cast<double>(known.at_ms) / 1000.0);
    text.append(when.data()).append(known.what);
    if (!known.detail.empty()) text.append(" ").append(known.detail);
    if (known.figure != 0) text.append(" ").append(std::to_string(known.figure));
    text.append("\n");
  }
  return text;
}

core::CallerKey key_of(int code, Who who) {
  core::CallerKey key;
  std::string const text = std::to_string(code) + "/" + std::to_string(who);
  std::ranges::copy(text, key.digest.begin());
  return key;
}

// ---- the people

int Witness::presented(int code_index, Who who) {
  Story& story = code(code_index);
  auto const index = static_cast<int>(presentations.size());
  presentations.push_back({.code = code_index,
                           .who = who,
                           .step = step_,
                           .at = clock_.steady(),
                           .wall = clock_.wall(),
                           .ledger_time_before = story.ledger_time - story.last_ledger_time});
  story.open.push_back(index);
  note(code_index, who == nobody ? "presented by nobody" : "presented by", {}, who);
  return index;
}

void Witness::over(int index) {
  Presentation& known = presentation(index);
  known.over = true;
  std::erase(code(known.code).open, index);
}

void Witness::heard(int index, core::PhoneResult const& result) {
  Presentation& known = presentation(index);
  if (known.answered) fail(known.code, "a request was answered twice");
  known.answered = true;
  check_budget(index);
  if (auto const* number = std::get_if<core::PhoneNumber>(&result.answer)) {
    note(known.code, result.replayed ? "heard the number again" : "heard the number", {}, known.who);
    check_number(index, *number);
    bool const is_again = code(known.code).begun_by != index;
    if (result.replayed != is_again && !code(known.code).rescued)
      fail(known.code, "a stored number that is not said to be one, or the reverse");
  } else {
    auto const& problem = std::get<core::Problem>(result.answer);
    note(known.code, "heard", core::kind_of(problem.code).name, known.who);
    check_problem(index, problem.code);
    Story const& story = code(known.code);
    if (problem.charged == core::Charged::yes && !story.spent && !story.rescued)
      fail(known.code, "told to be charged, and WeChat has not seen it");
    if (problem.charged == core::Charged::no && story.spent)
      fail(known.code, "told not to be charged, and it was");
  }
  over(index);
}

void Witness::heard_an_exception(int index) {
  fail(presentation(index).code, "a request ended in an exception");
  over(index);
}

void Witness::check_budget(int index) {
  Presentation const& known = presentation(index);
  auto const took = std::chrono::duration_cast<core::milliseconds>(clock_.steady() - known.at);
  auto const in_ledger = code(known.code).ledger_time - known.ledger_time_before;
  if (took > exchange_time + in_ledger) fail(known.code, "a request was not answered within its budget");
}

void Witness::check_number(int index, core::PhoneNumber const& number) {
  Presentation const& known = presentation(index);
  Story& story = code(known.code);
  if (story.state != State::ok) fail(known.code, "a number was heard that is not durable as ok");
  if (!story.spent && !story.rescued)
    fail(known.code, "a number was heard of a code that WeChat has not consumed");
  // A stranger who came first and brought a number gets what it brought, and nothing else.
  bool const is_strangers = story.rescued && story.caller != owner;
  if (number.phone_number.reveal() != (is_strangers ? strangers_number : story.number))
    fail(known.code, "another code's number was heard");
  bool const is_callers = known.who != nobody && known.who == story.caller;
  bool const exchanged_it = known.who == nobody && story.begun_by == index;
  if (!is_callers && !exchanged_it) fail(known.code, "a stranger heard a number");
  bool const by_another =
      story.number_heard && (story.hearer != known.who || (known.who == nobody && story.heard_by != index));
  if (by_another) fail(known.code, "two callers heard the same number");
  story.number_heard = true;
  story.hearer = known.who;
  story.heard_by = index;
}

bool Witness::is_others(int index, Story const& story) const {
  Presentation const& known = presentations[static_cast<std::size_t>(index)];
  if (known.who == nobody || known.who != story.caller) return true;
  return story.state == State::ok && known.wall > story.finished_wall + replay_window;
}

void Witness::check_problem(int index, ProblemCode problem) {
  Presentation const& known = presentation(index);
  Story const& story = code(known.code);
  auto const is_another = [&](int other) {
    return other != index && (known.who == nobody || presentation(other).who != known.who);
  };
  switch (problem) {
    case ProblemCode::code_invalid:
      if (story.state != State::rejected) fail(known.code, "CODE_INVALID for a code WeChat did not refuse");
      return;
    case ProblemCode::outcome_unknown:
    case ProblemCode::watermark_mismatch:
      if (story.state != State::in_doubt) fail(known.code, "doubt was heard, and is not durable");
      return;
    case ProblemCode::code_already_used:
      if (!story.state || !is_others(index, story)) fail(known.code, "a caller was taken for a stranger");
      return;
    case ProblemCode::code_in_progress:
      if (std::ranges::none_of(story.open, is_another))
        fail(known.code, "CODE_IN_PROGRESS, and nobody else is about");
      return;
    case ProblemCode::quota_exhausted:
    case ProblemCode::service_misconfigured:
    case ProblemCode::wechat_unavailable:
      if (story.state && story.state != State::retryable)
        fail(known.code, "'later' was heard of a code that cannot be tried again");
      return;
    case ProblemCode::server_busy:
    case ProblemCode::storage_unavailable: return;
    default: fail(known.code, "a problem that no code can have");
  }
}

// ---- the disk

void Witness::ledger_asked(int code_index, core::milliseconds time) {
  Story& story = code(code_index);
  story.last_ledger_time = time;
  story.ledger_time += time;
}

void Witness::moved(int code_index, State to, Cause cause) {
  Story& story = code(code_index);
  note(code_index, "ledger:", core::to_string(to));
  if (!may_move(story.state, to)) fail(code_index, "a state was left that is final, or sticky");
  story.state = to;
  story.cause = cause;
  story.finished = clock_.steady();
}

void Witness::began(int index, int attempt) {
  Presentation const& known = presentation(index);
  Story& story = code(known.code);
  moved(known.code, State::sending, Cause::none);
  if (attempt != story.attempts + 1) fail(known.code, "attempts are not counted one by one");
  story.attempts = attempt;
  story.calls_since_begin = 0;
  story.begun_by = index;
  if (story.caller == nobody) story.caller = known.who;
}

void Witness::resent(int code_index, int attempt) {
  Story& story = code(code_index);
  note(code_index, "ledger: attempt", {}, attempt);
  if (story.state != State::sending) fail(code_index, "a re-send of what is not under way");
  if (attempt != story.attempts + 1) fail(code_index, "attempts are not counted one by one");
  story.attempts = attempt;
}

void Witness::settled(int code_index, State state, Cause cause, core::WallTime at) {
  Story& story = code(code_index);
  story.finished_wall = at;
  moved(code_index, state, cause);
  if (!story.last_told || !story.last_fate) return fail(code_index, "an outcome of a call without an answer");
  FateRule const& rule = rule_of(*story.last_fate);
  bool const as_told = state == rule.state && cause == rule.cause;
  bool const by_clock = state == State::in_doubt && cause == Cause::watermark;
  bool const fits = story.watermark == Watermark::stale    ? by_clock
                    : story.watermark == Watermark::either ? as_told || by_clock
                                                           : as_told;
  if (!fits) fail(code_index, "the ledger says something else than WeChat's answer");
}

void Witness::rescued(int code_index, core::WallTime at) {
  Story& story = code(code_index);
  note(code_index, "ledger: rescued");
  if (story.state != State::in_doubt) fail(code_index, "a rescue of what is not in doubt");
  story.state = State::ok;
  story.cause = Cause::none;
  story.rescued = true;
  story.finished = clock_.steady();
  story.finished_wall = at;
}

void Witness::recovered(int code_index) { moved(code_index, State::in_doubt, Cause::crash); }
void Witness::abandoned(int code_index) { moved(code_index, State::in_doubt, Cause::abandoned); }

// ---- WeChat

void Witness::check_call_is_recorded(Story const& story, int code_index) {
  if (story.state != State::sending) fail(code_index, "a call whose intent is not durable");
  if (story.calls > story.attempts) fail(code_index, "more calls than recorded attempts");
  if (story.calls_since_begin > calls_of_one_attempt_allowed)
    fail(code_index, "one exchange called more than twice");
  if (story.calls == 1) return;
  bool const was_refused =
      story.last_told && story.last_fate && rule_of(*story.last_fate).state == State::retryable;
  if (!was_refused) fail(code_index, "a second call, and the first was not refused");
}

void Witness::check_nothing_closes_the_line(Story const& story, int code_index) {
  if (story.open.empty()) return fail(code_index, "a call that nobody waits for");
  std::int64_t const presented_step = presentation(story.open.front()).step;
  bool const is_dated = run_.dated_step >= 0 && run_.dated_step < presented_step;
  bool const is_off = std::chrono::abs(clock_.off()) > clock_off_allowed + inexact;
  if (is_dated && is_off && jumped_step_ < presented_step)
    fail(code_index, "a call while our clock is more than five minutes off");
  if (!run_.is_open || presented_step <= run_.opened_step) return;
  if (clock_.steady() < run_.open_until) fail(code_index, "a call while the circuit is open");
  if (run_.wants_probe) fail(code_index, "a call before a free call was answered");
  auto const came_since = [&](int other) {
    std::vector<int> const& open = code(other).open;
    return !open.empty() && presentation(open.front()).step > run_.opened_step;
  };
  if (std::ranges::count_if(run_.calls, came_since) > 1)
    fail(code_index, "two exchanges try the line at once");
}

void Witness::call_begins(int code_index, std::string_view token) {
  Story& story = code(code_index);
  ++story.calls;
  ++story.calls_since_begin;
  note(code_index, "call", {}, story.calls);
  run_.calls.push_back(code_index);
  calls_at_once_max_ = std::max(calls_at_once_max_, static_cast<int>(run_.calls.size()));
  if (run_.calls.size() > calls_at_once_allowed) fail(code_index, "more than 128 calls at once");
  check_call_is_recorded(story, code_index);
  check_nothing_closes_the_line(story, code_index);
  if (story.calls_since_begin > 1 && story.last_token == token)
    fail(code_index, "a second call with the token that was refused");
  story.last_token = token;
  story.last_fate.reset();
  story.last_told = false;
}

void Witness::call_told(int code_index, Fate fate) {
  Story& story = code(code_index);
  note(code_index, "told:", rule_of(fate).name);
  std::erase(run_.calls, code_index);
  story.last_fate = fate;
  story.last_told = true;
  auto const off = std::chrono::abs(clock_.off());
  bool const brings_number = fate == Fate::number;
  story.watermark = !brings_number || off < watermark_age_allowed - inexact ? Watermark::fresh
                    : off > watermark_age_allowed + inexact                 ? Watermark::stale
                                                                            : Watermark::either;
  if (run_.is_open) return;
  bool const trusted = story.watermark != Watermark::stale && is_trusted(fate);
  run_.untrusted_in_a_row = trusted ? 0 : run_.untrusted_in_a_row + 1;
  run_.untrusted <<= 1;
  run_.untrusted.set(0, !trusted && story.watermark == Watermark::fresh);
  if (story.watermark == Watermark::either) run_.untrusted_in_a_row = 0;
}

void Witness::token_asked_for() {
  constexpr int everything = -1;
  constexpr auto window = 9900ms;
  core::SteadyTime const now = clock_.steady();
  note(everything, "a token is asked for");
  if (run_.token_failed && now < *run_.token_failed + 1s) fail(everything, "a token again within a second");
  std::erase_if(run_.tokens_asked, [&](core::SteadyTime at) { return at < now - window; });
  run_.tokens_asked.push_back(now);
  if (run_.tokens_asked.size() > 2) fail(everything, "a storm of requests for tokens");
}

void Witness::token_told(bool given) {
  run_.token_failed.reset();
  if (given) return;
  run_.token_failed = clock_.steady();
  if (!run_.tokens_asked.empty()) run_.tokens_asked.pop_back();
}

void Witness::date_told() { run_.dated_step = step_; }

void Witness::clock_jumped() {
  constexpr int everything = -1;
  jumped_step_ = step_;
  note(everything, "our clock is off by, in s", {}, clock_.off().count() / 1000);
}

// ---- the circuit

void Witness::log_line(std::string_view line) {
  constexpr int everything = -1;
  auto const says = [line](std::string_view text) { return line.find(text) != std::string_view::npos; };
  if (says(R"("msg":"circuit_opened")")) {
    note(everything, "the circuit opens, for ms", {}, figure_in(line, R"("pause_ms":)"));
    run_.is_open = true;
    run_.wants_probe = !says(R"("cause":"rate_limited")") && !says(R"("cause":"misconfigured")");
    run_.opened_step = step_;
    run_.open_until = clock_.steady() + core::milliseconds(figure_in(line, R"("pause_ms":)"));
  } else if (says(R"("msg":"circuit_probed")")) {
    bool const answered = says(R"("answered":true)");
    note(everything, answered ? "a free call is answered" : "a free call is not answered");
    run_.wants_probe = run_.wants_probe && !answered;
  } else if (says(R"("msg":"circuit_closed")")) {
    note(everything, "the circuit closes");
    run_.is_open = false;
    run_.untrusted_in_a_row = 0;
    run_.untrusted.reset();
  }
}

void Witness::step_is_over() {
  constexpr int everything = -1;
  constexpr int in_a_row_allowed = 4;
  constexpr int of_the_last_allowed = 9;
  bool const is_bad =
      run_.untrusted_in_a_row > in_a_row_allowed || run_.untrusted.count() > of_the_last_allowed;
  if (is_bad && !run_.is_open) fail(everything, "the circuit stays closed though answers are lost");
  ++step_;
}

// ---- the run

void Witness::crashed() {
  constexpr int everything = -1;
  note(everything, "CRASH");
  for (Story& story : codes) {
    for (int const lost : story.open) presentation(lost).over = true;
    if (!story.open.empty()) ++crashes_at_[static_cast<std::size_t>(story.await)];
    story.open.clear();
    story.await = Await::nothing;
  }
}

void Witness::quiet() {
  for (int index = 0; index < static_cast<int>(codes.size()); ++index) {
    Story const& story = code(index);
    if (!story.open.empty()) fail(index, "a request that was never answered");
    if (story.state == State::sending) fail(index, "an attempt is open, and nobody makes it");
    bool const is_kept = story.state == State::ok || story.state == State::in_doubt;
    if (story.spent && !is_kept) fail(index, "WeChat took a unit, and the ledger does not say so");
  }
}

}  // namespace onetap::simulation
