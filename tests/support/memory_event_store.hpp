#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/billing/events.hpp"

namespace onetap::tests {

/// The EventStore port over vectors.
class MemoryEventStore final : public core::EventStore {
 public:
  std::vector<core::PageEvents> told;
  std::optional<core::EventsRefused> refuses;

  [[nodiscard]] core::Task<core::Result<core::EventCounts, core::EventsRefused>> record(
      core::PageEvents events) override {
    if (refuses) co_return *refuses;
    core::EventCounts counts;
    for (core::PageEvent const& event : events.events)
      ++(known_.emplace(events.appid, event.id).second ? counts.accepted : counts.duplicates);
    told.push_back(std::move(events));
    co_return counts;
  }

 private:
  std::set<std::pair<std::string, std::string>> known_;
};

}  // namespace onetap::tests
