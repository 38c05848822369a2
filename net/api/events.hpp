#pragma once

#include "core/billing/event_service.hpp"
#include "core/crypto/keyring.hpp"
#include "core/gate/gatekeeper.hpp"
#include "net/api/body_reader.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// What /phone/events asks of its callers: a page tells of its own button, so no backend speaks for it.
inline constexpr core::RouteAccess events_access{.takes_backend = false};

/// POST /phone/events: the page's funnel.
class EventsApi {
 public:
  /// All outlive it.
  EventsApi(core::EventService& events, core::Gatekeeper const& gate, core::crypto::Keyring const& keyring,
            core::Clock const& clock)
      : events_(events), gate_(gate), keyring_(keyring), clock_(clock) {}

  [[nodiscard]] core::Task<Response> record(Request const& request, core::Caller const& caller);

 private:
  [[nodiscard]] std::vector<core::PageEvent> read_events(BodyReader& body, std::string_view appid,
                                                         core::WallTime now) const;
  [[nodiscard]] core::PageEvent read_event(BodyReader& body, std::string_view appid,
                                           core::WallTime now) const;

  core::EventService& events_;
  core::Gatekeeper const& gate_;
  core::crypto::Keyring const& keyring_;
  core::Clock const& clock_;
};

}  // namespace onetap::net
