#include "core/billing/event_service.hpp"

#include <doctest/doctest.h>

#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_event_store.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
namespace limits = core::limits;

namespace {

using Answer = core::Result<core::EventCounts, core::Problem>;

struct Events {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  MemoryEventStore store;
  core::EventService service{{.clock = clock, .store = store, .log = log}, {}};
  int ids = 0;

  Answer record(core::EventSender sender, std::size_t count) {
    core::PageEvents events{.appid = "wx1", .received = clock.wall()};
    for (std::size_t i = 0; i < count; ++i)
      events.events.push_back({.id = std::to_string(++ids), .at = clock.wall()});
    auto started = start(loop, service.record(std::move(events), std::move(sender)));
    clock.settle();
    return started.value();
  }
};

core::EventSender user(unsigned char number) {
  return {.user = core::CallerKey{{number}}, .address = "192.0.2.1"};
}
core::EventSender stranger(std::string address) {
  return {.user = std::nullopt, .address = std::move(address)};
}

}  // namespace

TEST_CASE("what a page tells is counted, what it tells again is not counted twice") {
  Events events;
  CHECK(events.record(user(1), 3)->accepted == 3);
  events.ids -= 2;
  Answer const again = events.record(user(1), 3);
  CHECK(again->accepted == 1);
  CHECK(again->duplicates == 2);
}

TEST_CASE("nothing told is nothing written") {
  Events events;
  CHECK(events.record(user(1), 0)->accepted == 0);
  CHECK(events.store.told.empty());
}

TEST_CASE("a user tells so many events in a minute, on whatever address, and others are not kept from it") {
  Events events;
  for (std::size_t told = 0; told < limits::events_per_user_per_minute; told += 50)
    CHECK(events.record(user(1), 50).has_value());
  Answer const limited = events.record(user(1), 50);
  REQUIRE_FALSE(limited.has_value());
  CHECK(limited.error().code == core::ProblemCode::rate_limited);
  CHECK(limited.error().charged == core::Charged::absent);
  CHECK(limited.error().retry_after == 20s);  // of 150 a minute, 50 come back
  CHECK(events.record(user(2), 50).has_value());
  CHECK(events.record(stranger("192.0.2.1"), 50).has_value());
  events.clock.advance(20s);
  CHECK(events.record(user(1), 50).has_value());
}

TEST_CASE("and so many in a day, however slowly they are told") {
  Events events;
  std::size_t told = 0;
  for (; events.record(user(1), 50); told += 50) events.clock.advance(20s);
  // While the day's were told, some of them came back: 3,000 in 20 minutes.
  CHECK(told >= limits::events_per_user_per_day);
  CHECK(told < limits::events_per_user_per_day + 100);
  CHECK(events.record(user(1), 50).error().retry_after > 60s);
  CHECK(events.record(user(2), 50).has_value());
}

TEST_CASE("without a session it is the address that tells so many") {
  Events events;
  for (std::size_t told = 0; told < limits::events_per_address_per_minute; told += 50)
    CHECK(events.record(stranger("192.0.2.1"), 50).has_value());
  CHECK_FALSE(events.record(stranger("192.0.2.1"), 1).has_value());
  CHECK(events.record(stranger("192.0.2.2"), 1).has_value());
  CHECK(events.record(user(1), 1).has_value());
}

TEST_CASE("what the store does not take may be told again later; a store that is full is an alarm") {
  Events events;
  auto const refused_as = [&](core::EventsRefused refused) {
    events.store.refuses = refused;
    Answer const answer = events.record(user(1), 1);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().retry_after.has_value());
    CHECK(answer.error().charged == core::Charged::absent);
    return core::kind_of(answer.error().code).name;
  };
  CHECK(refused_as(core::EventsRefused::busy) == "SERVER_BUSY");
  CHECK(refused_as(core::EventsRefused::unavailable) == "STORAGE_UNAVAILABLE");
  CHECK(events.lines.empty());
  CHECK(refused_as(core::EventsRefused::full) == "SERVER_BUSY");
  CHECK(refused_as(core::EventsRefused::full) == "SERVER_BUSY");
  REQUIRE(events.lines.size() == 1);
  CHECK(events.lines.front().find("ONETAP_EVENTS_DAYS") != std::string::npos);
}

TEST_CASE("each type of event has its name") {
  for (std::string const name : {"tap", "issued", "denied", "no_quota", "privacy_denied", "fallback"})
    CHECK(core::to_string(core::event_type_from(name).value()) == name);
  CHECK_FALSE(core::event_type_from("Tap").has_value());
  CHECK_FALSE(core::event_type_from("").has_value());
}
