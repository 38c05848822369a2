#include "core/billing/told_quota.hpp"

#include <doctest/doctest.h>

using namespace onetap::core;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";
WallTime const noon{seconds(1'790'000'000)};

QuotaAlarm alarm(std::int64_t units_left, WallTime at, Kind kind = Kind::quick) {
  return {.kind = kind, .created = at, .units_total = 1000, .units_left = units_left};
}

}  // namespace

TEST_CASE("without an alarm nothing is known") {
  ToldQuota const told;
  CHECK_FALSE(told.last(appid, Kind::quick));
  CHECK_FALSE(told.exhausted_at(appid, Kind::quick));
}

TEST_CASE("the last alarm counts, for its mini program and kind") {
  ToldQuota told;
  told.tell(appid, alarm(50, noon));
  REQUIRE(told.last(appid, Kind::quick));
  CHECK(told.last(appid, Kind::quick)->percent_left == 5);
  CHECK_FALSE(told.exhausted_at(appid, Kind::quick));
  told.tell(appid, alarm(0, noon + seconds(60)));
  CHECK(told.exhausted_at(appid, Kind::quick) == noon + seconds(60));
  CHECK_FALSE(told.exhausted_at(appid, Kind::realtime));
  CHECK_FALSE(told.exhausted_at("wxffffffffffffffff", Kind::quick));
}

TEST_CASE("a later alarm with something left ends the exhaustion, an earlier one that comes late does not") {
  ToldQuota told;
  told.tell(appid, alarm(0, noon));
  told.tell(appid, alarm(50, noon - seconds(60)));
  CHECK(told.exhausted_at(appid, Kind::quick) == noon);
  told.tell(appid, alarm(200, noon + seconds(60)));
  CHECK_FALSE(told.exhausted_at(appid, Kind::quick));
  CHECK(told.last(appid, Kind::quick)->percent_left == 20);
}

TEST_CASE("a purchase makes alarms void up to its time, also those that come after it was seen") {
  ToldQuota told;
  told.tell(appid, alarm(0, noon));
  told.purchase_seen(appid, Kind::realtime, noon + seconds(60));
  CHECK(told.exhausted_at(appid, Kind::quick));
  told.purchase_seen(appid, Kind::quick, noon + seconds(60));
  CHECK_FALSE(told.exhausted_at(appid, Kind::quick));
  told.tell(appid, alarm(0, noon + seconds(60)));
  CHECK_FALSE(told.exhausted_at(appid, Kind::quick));
  told.tell(appid, alarm(0, noon + seconds(61)));
  CHECK(told.exhausted_at(appid, Kind::quick) == noon + seconds(61));
}

TEST_CASE("figures that are older than the alarm do not void it") {
  ToldQuota told;
  told.tell(appid, alarm(0, noon));
  told.purchase_seen(appid, Kind::quick, noon - seconds(1));
  CHECK(told.exhausted_at(appid, Kind::quick) == noon);
}
