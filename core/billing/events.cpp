#include "core/billing/events.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace onetap::core {
namespace {

constexpr std::array<std::pair<EventType, std::string_view>, 6> types{
    {{EventType::tap, "tap"},
     {EventType::issued, "issued"},
     {EventType::denied, "denied"},
     {EventType::no_quota, "no_quota"},
     {EventType::privacy_denied, "privacy_denied"},
     {EventType::fallback, "fallback"}}};

}  // namespace

std::string_view to_string(EventType type) {
  return std::ranges::find(types, type, &std::pair<EventType, std::string_view>::first)->second;
}

std::optional<EventType> event_type_from(std::string_view text) {
  auto const* const found = std::ranges::find(types, text, &std::pair<EventType, std::string_view>::second);
  if (found == types.end()) return std::nullopt;
  return found->first;
}

}  // namespace onetap::core
