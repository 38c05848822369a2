#include "core/billing/forecast.hpp"

#include <doctest/doctest.h>

using namespace onetap::core;
using namespace std::chrono_literals;

namespace {

constexpr WallTime now = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 11 / 23));

PackUsage trial(std::int64_t left) { return {.pkg_id = "", .all = 1000, .used = 1000 - left}; }
PackUsage paid(std::string id, std::int64_t left, int days,
               PackUsage::Status status = PackUsage::Status::in_force) {
  return {.pkg_id = std::move(id),
          .status = status,
          .all = 1000,
          .used = 1000 - left,
          .starts = now - 24h,
          .ends = now + std::chrono::days(days)};
}

Forecast foreseen(std::vector<PackUsage> packs, double a_day) {
  UsageSnapshot snapshot{.appid = "wx1", .kind = Kind::quick, .packs = std::move(packs), .as_of = now};
  return forecast(snapshot, {.ours_a_day = a_day}, now);
}

}  // namespace

TEST_CASE("what is left lasts as long as the rate lets it, and packs follow each other in WeChat's order") {
  Forecast const told = foreseen({paid("B", 300, 60), paid("A", 100, 30), trial(50)}, 10);
  CHECK(told.units_left == 450);
  CHECK(told.units == 3000);
  CHECK(told.days_left == doctest::Approx(45));
  REQUIRE(told.packs.size() == 3);
  CHECK(told.packs[0].pkg_id.empty());
  CHECK(told.packs[0].used_up == now + 5 * 24h);
  CHECK(told.packs[1].pkg_id == "A");
  CHECK(told.packs[1].used_up == now + 15 * 24h);
  CHECK(told.packs[2].used_up == now + 45 * 24h);
  CHECK(told.units_unused == 0);
}

TEST_CASE("of two packs that end together, the lower id goes first") {
  Forecast const told = foreseen({paid("ZY2", 10, 30), paid("ZY1", 10, 30)}, 1);
  CHECK(told.packs[0].pkg_id == "ZY1");
  CHECK(told.packs[0].used_up == now + 10 * 24h);
}

TEST_CASE("what is not used by a pack's end expires, and nothing lasts beyond it") {
  Forecast const told = foreseen({paid("A", 500, 10)}, 10);
  CHECK(told.days_left == doctest::Approx(10));
  CHECK(told.packs[0].units_unused == 400);
  CHECK_FALSE(told.packs[0].used_up);
  Forecast const two = foreseen({paid("A", 500, 10), paid("B", 500, 20)}, 10);
  CHECK(two.days_left == doctest::Approx(20));
  CHECK(two.packs[0].units_unused == 400);
  CHECK(two.packs[1].units_unused == 400);
  CHECK(two.units_unused == 800);
}

TEST_CASE("the trial pack goes first though it never ends, so a paid one may expire behind it") {
  Forecast const told = foreseen({trial(1000), paid("A", 100, 10)}, 10);
  CHECK(told.packs[1].units_unused == 100);
  CHECK(told.packs[0].units_unused == 0);
}

TEST_CASE(
    "a pack that is yet to begin counts from its beginning; a gap before it is the end of what is left") {
  PackUsage later = paid("B", 100, 60, PackUsage::Status::not_yet);
  later.starts = now + 20 * 24h;
  CHECK(foreseen({paid("A", 100, 30), later}, 10).days_left == doctest::Approx(10));
  later.starts = now + 5 * 24h;
  Forecast const told = foreseen({paid("A", 100, 30), later}, 10);
  CHECK(told.days_left == doctest::Approx(20));
  CHECK(told.units_left == 100);  // of the packs in force
  CHECK(told.units_given == 2000);
}

TEST_CASE("where nothing is spent, nothing runs out, and all that ends expires") {
  Forecast const told = foreseen({trial(10), paid("A", 100, 10)}, 0);
  CHECK_FALSE(told.days_left);
  CHECK(told.units_unused == 100);
}

TEST_CASE("without packs there is nothing to foresee; with empty ones nothing is left") {
  Forecast const exempt = foreseen({}, 10);
  CHECK_FALSE(exempt.is_metered);
  CHECK_FALSE(exempt.days_left);
  Forecast const empty = foreseen({trial(0), paid("A", 100, -1)}, 10);
  CHECK(empty.is_metered);
  CHECK(empty.days_left == doctest::Approx(0));
  CHECK(empty.packs.empty());
}

TEST_CASE("the faster of both rates counts; a share is rounded up, so that 0 % is nothing") {
  CHECK(SpendingRates{}.a_day() == 0);
  CHECK(SpendingRates{.ours_a_day = 3, .wechat_a_day = 5}.a_day() == 5);
  CHECK(SpendingRates{.ours_a_day = 7, .wechat_a_day = 5}.a_day() == 7);
  CHECK(foreseen({trial(1)}, 1).percent_left() == 1);
  CHECK(foreseen({trial(200)}, 1).percent_left() == 20);
  CHECK(foreseen({trial(201)}, 1).percent_left() == 21);
  CHECK(foreseen({trial(0)}, 1).percent_left() == 0);
}
