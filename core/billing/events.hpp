#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/result.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// What a page tells of its button (contract, "Event types").
enum class EventType { tap, issued, denied, no_quota, privacy_denied, fallback };

[[nodiscard]] std::string_view to_string(EventType type);
[[nodiscard]] std::optional<EventType> event_type_from(std::string_view text);

struct PageEvent {
  std::string id;  // made by the page; known once for each app
  EventType type = EventType::tap;
  Kind kind = Kind::quick;
  std::optional<std::int64_t> errno_told{};  // the callback's
  std::optional<CodeKey> code_key{};         // of the code that was issued
  std::string scene{};                       // empty: none
  WallTime at;                               // by the page's clock
};

/// What came in one request.
struct PageEvents {
  std::string appid;
  ClientEnv client_env = ClientEnv::unknown;
  std::vector<PageEvent> events;  // at most limits::events_per_request_max
  WallTime received;
};

struct EventCounts {
  std::size_t accepted = 0;
  std::size_t duplicates = 0;  // told of before, or twice in this request
};

/// Why nothing was written.
enum class EventsRefused {
  busy,         // others' events wait already
  full,         // limits::events_kept_max are kept
  unavailable,  // disk full, closing
};

/// Port: what must survive of events. Returns when it is durable, all of it or nothing. Codes never wait for
/// it.
class EventStore {
 public:
  EventStore() = default;
  EventStore(EventStore const&) = delete;
  EventStore& operator=(EventStore const&) = delete;
  virtual ~EventStore() = default;

  [[nodiscard]] virtual Task<Result<EventCounts, EventsRefused>> record(PageEvents events) = 0;
};

}  // namespace onetap::core
