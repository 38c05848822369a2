#include "core/billing/event_service.hpp"

#include <utility>

#include "core/exchange/presentation.hpp"
#include "core/limits.hpp"

namespace onetap::core {

using std::chrono::days;
using std::chrono::minutes;

EventService::EventService(Ports ports, crypto::SipHashKey const& seed)
    : ports_(ports),
      of_user_{.minute = {{.requests = limits::events_per_user_per_minute, .period = minutes(1)}, seed},
               .day = {{.requests = limits::events_per_user_per_day, .period = days(1)}, seed}},
      of_address_{.minute = {{.requests = limits::events_per_address_per_minute, .period = minutes(1)}, seed},
                  .day = {{.requests = limits::events_per_address_per_day, .period = days(1)}, seed}} {}

Task<Result<EventCounts, Problem>> EventService::record(PageEvents events, EventSender sender) {
  if (events.events.empty()) co_return EventCounts{};
  if (auto limited = limit(sender, events.events.size())) co_return std::move(*limited);
  Result<EventCounts, EventsRefused> const recorded = co_await ports_.store.record(std::move(events));
  if (!recorded) co_return problem_of(recorded.error());
  co_return *recorded;
}

RateVerdict EventService::Limits::take(std::string_view sender, SteadyTime now, std::uint32_t count) {
  RateVerdict const verdict = minute.take(sender, now, count);
  return verdict.admitted ? day.take(sender, now, count) : verdict;
}

std::optional<Problem> EventService::limit(EventSender const& sender, std::size_t count) {
  auto const weight = static_cast<std::uint32_t>(count);
  SteadyTime const now = ports_.clock.steady();
  RateVerdict verdict;
  if (sender.user) {
    auto const* const key = reinterpret_cast<char const*>(sender.user->digest.data());
    verdict = of_user_.take({key, sender.user->digest.size()}, now, weight);
  } else {
    verdict = of_address_.take(sender.address, now, weight);
  }
  if (verdict.admitted) return std::nullopt;
  return Problem{.code = ProblemCode::rate_limited,
                 .retry_after = std::chrono::ceil<seconds>(verdict.retry_after)};
}

// No code is at stake.
Problem EventService::problem_of(EventsRefused refused) {
  Problem problem = refused == EventsRefused::unavailable ? storage_unavailable() : server_busy();
  problem.charged = Charged::absent;
  if (refused == EventsRefused::full && full_.happened(ports_.clock.steady())) {
    ports_.log.error(
        "events_full",
        {{"kept", limits::events_kept_max},
         {"hint",
          "no more events are taken until older ones are forgotten: lower ONETAP_EVENTS_DAYS, or "
          "look for somebody who forges them (ONETAP_VERIFY)"}});
  }
  return problem;
}

}  // namespace onetap::core
