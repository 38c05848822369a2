#pragma once

#include <optional>
#include <string>

#include "core/billing/events.hpp"
#include "core/exchange/problem.hpp"
#include "core/gate/rate_limiter.hpp"
#include "core/log.hpp"
#include "core/repetition.hpp"

namespace onetap::core {

/// Who tells: whoever has a session is limited by user, others by their address.
struct EventSender {
  std::optional<CallerKey> user;
  std::string address;  // as GateRequest::address
};

/// Takes what pages tell, so much of one sender in a minute, and in a day.
class EventService {
 public:
  struct Ports {
    Clock& clock;
    EventStore& store;
    Log& log;
  };

  /// `seed` is random, for the tables of the limits.
  EventService(Ports ports, crypto::SipHashKey const& seed);

  /// Nothing of what is refused was written; it may be told again.
  [[nodiscard]] Task<Result<EventCounts, Problem>> record(PageEvents events, EventSender sender);

 private:
  /// Of one kind of sender.
  struct Limits {
    RateLimiter minute;
    RateLimiter day;

    [[nodiscard]] RateVerdict take(std::string_view sender, SteadyTime now, std::uint32_t count);
  };

  [[nodiscard]] std::optional<Problem> limit(EventSender const& sender, std::size_t count);
  [[nodiscard]] Problem problem_of(EventsRefused refused);

  Ports ports_;
  Limits of_user_;
  Limits of_address_;
  Repetition full_;
};

}  // namespace onetap::core
