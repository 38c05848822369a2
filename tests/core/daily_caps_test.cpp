#include "core/billing/daily_caps.hpp"

#include <doctest/doctest.h>

#include "core/limits.hpp"

using namespace onetap::core;

namespace {

// 2026-11-22, noon in China
WallTime const noon = wall_time_of_unix_ms(1'795'320'000'000);
constexpr auto half_a_day = std::chrono::hours(12);

CallerKey user(unsigned int number) {
  CallerKey key;
  for (int i = 0; i < 4; ++i)
    key.digest.at(static_cast<std::size_t>(i)) = static_cast<unsigned char>(number >> (8 * i));
  return key;
}

}  // namespace

TEST_CASE("a day is China's") {
  CHECK(china_midnight(noon) == noon - half_a_day);
  CHECK(china_midnight(noon + half_a_day - milliseconds(1)) == noon - half_a_day);
  CHECK(china_midnight(noon + half_a_day) == noon + half_a_day);
  CHECK(china_day(noon + half_a_day) == china_day(noon) + 1);
}

TEST_CASE("without limits nothing is ever reached") {
  DailyCaps caps({});
  for (int i = 0; i < 1000; ++i) caps.counted(user(1), noon);
  CHECK_FALSE(caps.reached(user(1), noon));
  CHECK_FALSE(caps.reached(std::nullopt, noon));
}

TEST_CASE("a user's taps end at the limit, another's do not, and neither do those of nobody known") {
  DailyCaps caps({.taps_per_user = 3});
  for (int i = 0; i < 2; ++i) caps.counted(user(1), noon);
  CHECK_FALSE(caps.reached(user(1), noon));
  caps.counted(user(1), noon);
  CHECK(caps.reached(user(1), noon) == NoQuota::user_limit);
  CHECK_FALSE(caps.reached(user(2), noon));
  CHECK_FALSE(caps.reached(std::nullopt, noon));
}

TEST_CASE("the budget counts every code, whoever's it is, and ends everybody's taps") {
  DailyCaps caps({.taps_per_user = 100, .budget = 5});
  caps.counted(user(1), noon, 2);
  caps.counted(std::nullopt, noon, 2);
  CHECK_FALSE(caps.reached(user(2), noon));
  caps.counted(user(2), noon);
  CHECK(caps.reached(user(3), noon) == NoQuota::budget);
  CHECK(caps.reached(std::nullopt, noon) == NoQuota::budget);
}

TEST_CASE("with China's midnight everything begins anew") {
  DailyCaps caps({.taps_per_user = 1, .budget = 2});
  caps.counted(user(1), noon);
  CHECK(caps.reached(user(1), noon + half_a_day - milliseconds(1)) == NoQuota::user_limit);
  CHECK_FALSE(caps.reached(user(1), noon + half_a_day));
  caps.counted(user(2), noon + half_a_day);
  CHECK_FALSE(caps.reached(user(1), noon + half_a_day));
  CHECK(caps.reached(user(2), noon + half_a_day) == NoQuota::user_limit);
}

TEST_CASE("of more users than there is memory for, the later ones are not limited") {
  DailyCaps caps({.taps_per_user = 1});
  for (unsigned int number = 0; number <= limits::counted_users_max; ++number)
    caps.counted(user(number), noon);
  CHECK(caps.reached(user(0), noon) == NoQuota::user_limit);
  CHECK_FALSE(caps.reached(user(limits::counted_users_max), noon));
}
