#include "core/exchange/presentation.hpp"

#include <algorithm>

#include "core/exchange/circuit_breaker.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

using namespace std::chrono_literals;

Problem with_wechat(Problem problem, Answer const& answer) {
  problem.errcode = answer.errcode;
  problem.rid = answer.rid;
  return problem;
}

constexpr auto soon = 2s;

Problem service_misconfigured(seconds retry_after) {
  return {
      .code = ProblemCode::service_misconfigured, .charged = Charged::unknown, .retry_after = retry_after};
}

}  // namespace

Problem problem_for(Answer const& answer, std::optional<Unready> because, WallTime now) {
  switch (answer.verdict) {
    case Verdict::code_invalid:
      return with_wechat({.code = ProblemCode::code_invalid, .charged = Charged::unknown}, answer);
    case Verdict::token_refused:
      return with_wechat(because ? problem_for(*because) : wechat_unavailable(soon), answer);
    case Verdict::rate_limited: return with_wechat(wechat_unavailable(until_next_minute(now)), answer);
    case Verdict::misconfigured:
      return with_wechat(
          service_misconfigured(std::chrono::ceil<seconds>(limits::breaker_misconfigured_pause)), answer);
    case Verdict::no_quota:
      return with_wechat({.code = ProblemCode::quota_exhausted, .charged = Charged::no, .retry_after = 60s},
                         answer);
    case Verdict::not_sent: return wechat_unavailable(1s);
    case Verdict::number:
      return {.code = ProblemCode::internal, .charged = Charged::yes};  // numbers are no problem
    case Verdict::doubt: break;
  }
  bool const number_was_given = answer.cause == Cause::watermark;
  Problem const problem{
      .code = number_was_given ? ProblemCode::watermark_mismatch : ProblemCode::outcome_unknown,
      .charged = number_was_given ? Charged::yes : Charged::unknown};
  return with_wechat(problem, answer);
}

Problem problem_for(ledger::Stored const& stored) {
  bool const rejected = stored.state == State::rejected;
  bool const was_charged = stored.state == State::lost || stored.cause == Cause::watermark;
  return {.code = rejected ? ProblemCode::code_invalid : ProblemCode::outcome_unknown,
          .charged = was_charged ? Charged::yes : Charged::unknown,
          .errcode = stored.errcode,
          .rid = stored.rid};
}

Problem problem_for(ledger::NotYours const& not_yours) {
  return {.code = not_yours.in_progress ? ProblemCode::code_in_progress : ProblemCode::code_already_used,
          .charged = not_yours.charged ? Charged::yes : Charged::unknown};
}

Problem problem_for(Unready const& unready) {
  using enum Unready::Why;
  switch (unready.why) {
    case token_misconfigured:
    case misconfigured:
    case clock_off: return service_misconfigured(std::max(unready.retry_after.value_or(5s), 5s));
    case no_turn: return server_busy();
    case no_token:
    case no_line:
    case circuit_open: break;
  }
  return wechat_unavailable(std::max(unready.retry_after.value_or(soon), soon));
}

Problem wechat_unavailable(seconds retry_after) {
  return {.code = ProblemCode::wechat_unavailable, .charged = Charged::unknown, .retry_after = retry_after};
}

Problem storage_unavailable() {
  return {.code = ProblemCode::storage_unavailable, .charged = Charged::unknown, .retry_after = 5s};
}

Problem server_busy() {
  return {.code = ProblemCode::server_busy, .charged = Charged::unknown, .retry_after = 1s};
}

}  // namespace onetap::core
