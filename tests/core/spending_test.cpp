#include "core/billing/spending.hpp"

#include <doctest/doctest.h>

#include "core/billing/address_top.hpp"
#include "core/limits.hpp"

using namespace onetap::core;
using namespace std::chrono_literals;

namespace {

constexpr WallTime now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 23)) + 30min;
QuotaOwner const owner{.appid = "wx1", .kind = Kind::quick};

void book(Spending& spending, int hours_ago, std::int64_t units, std::int64_t beyond = 0) {
  spending.add({.owner = owner, .hour = hour_of(now) - hours_ago, .units = units, .beyond_packs = beyond});
}

}  // namespace

TEST_CASE("the rate is of seven days, or of as many as anything is known of, one at least") {
  Spending spending;
  CHECK_FALSE(spending.units_a_day(owner, now));
  book(spending, 0, 12);
  CHECK(spending.units_a_day(owner, now) == doctest::Approx(12));
  book(spending, 2 * 24, 36);
  CHECK(spending.units_a_day(owner, now) == doctest::Approx(48 / (2 + 1.0 / 48)));
  book(spending, 7 * 24, 652);
  CHECK(spending.units_a_day(owner, now) == doctest::Approx(100));
  book(spending, 7 * 24 + 1, 1'000'000);  // too long ago
  CHECK(spending.units_a_day(owner, now) == doctest::Approx(100));
  CHECK_FALSE(spending.units_a_day({.appid = "wx1", .kind = Kind::realtime}, now));
}

TEST_CASE("a spike is fifty units or more, and more than three times a busy hour") {
  Spending spending;
  for (int hour = 1; hour <= 100; ++hour) book(spending, hour, hour <= 5 ? 1000 : 30);  // five are far busier
  SUBCASE("what is three times the usual is none") {
    book(spending, 0, 90);
    CHECK_FALSE(spending.spike(owner, now));
    book(spending, 0, 1);
    REQUIRE(spending.spike(owner, now));
    CHECK(spending.spike(owner, now)->units == 91);
    CHECK(spending.spike(owner, now)->usual == 30);
  }
  SUBCASE("the next hour begins anew") {
    book(spending, 0, 500);
    CHECK(spending.spike(owner, now));
    CHECK_FALSE(spending.spike(owner, now + 1h));
  }
}

TEST_CASE("small numbers are no spike, and neither is a first day") {
  Spending quiet;
  book(quiet, 24, 1);
  book(quiet, 0, limits::spike_units_min - 1);
  CHECK_FALSE(quiet.spike(owner, now));
  book(quiet, 0, 1);
  CHECK(quiet.spike(owner, now));
  Spending young;
  book(young, 23, 1);
  book(young, 0, 100'000);
  CHECK_FALSE(young.spike(owner, now));
}

TEST_CASE("units beyond all packs are of this hour and the one before") {
  Spending spending;
  book(spending, 0, 3, 1);
  book(spending, 1, 3, 2);
  book(spending, 2, 3, 3);
  CHECK(spending.beyond_packs_of_late(owner, now) == 3);
  CHECK(spending.units_this_hour(owner, now) == 3);
}

TEST_CASE("hours too old are forgotten") {
  Spending spending;
  book(spending, 7 * 24 + 1, 5);
  spending.forget_old(now);
  CHECK_FALSE(spending.units_a_day(owner, now - 48h));
}

TEST_CASE("addresses are known by digests, the most codes first, hour by hour") {
  AddressTop top({1, 2, 3});
  for (int i = 0; i < 3; ++i) top.counted("10.0.0.1", now);
  top.counted("10.0.0.2", now);
  top.counted("10.0.0.2", now - 2h);
  auto const of_hour = top.top(1, now);
  REQUIRE(of_hour.size() == 2);
  CHECK(of_hour[0].codes == 3);
  CHECK(of_hour[0].address.size() == 16);
  CHECK(of_hour[0].address.find("10.0") == std::string::npos);
  CHECK(of_hour[1].codes == 1);
  AddressTop other({4});
  other.counted("10.0.0.1", now);
  CHECK(other.top(1, now)[0].address != of_hour[0].address);
}

TEST_CASE("an hour before comes along where more hours are asked for, and goes after a day") {
  AddressTop top({});
  top.counted("a", now);
  CHECK(top.top(1, now + 1h).empty());
  CHECK(top.top(2, now + 1h).size() == 1);
  top.counted("b", now + 24h);
  CHECK(top.top(24, now + 24h).size() == 1);
}

TEST_CASE("however many addresses come, few are kept, and whoever brings much is among them") {
  AddressTop top({});
  for (int i = 0; i < 5000; ++i) {
    top.counted("stranger " + std::to_string(i), now);
    if (i % 10 == 0) top.counted("the one", now);
  }
  auto const rows = top.top(1, now);
  CHECK(rows.size() == limits::top_rows_max);
  CHECK(rows[0].codes >= 500);
  CHECK(rows[0].codes - rows[0].too_high <= 500);
  CHECK(rows[0].codes > rows[1].codes);
}
