#include "core/exchange/clock_skew.hpp"

#include <doctest/doctest.h>

using namespace onetap::core;
using namespace std::chrono_literals;

namespace {

constexpr char three_o_clock[] = "Mon, 23 Nov 2026 03:00:00 GMT";
WallTime const three = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 3h;
SteadyTime const start(1000h);

}  // namespace

TEST_CASE("HTTP's date is read, and nothing else") {
  CHECK(parse_http_date(three_o_clock) == three);
  CHECK(parse_http_date("Sun, 29 Feb 2032 23:59:59 GMT"));
  for (char const* const text :
       {"", "2026-11-23T03:00:00Z", "Mon, 23 Nov 2026 03:00:00", "Mon, 23 Nov 2026 03:00:00 CST",
        "Mon, 23 nov 2026 03:00:00 GMT", "Mon, 31 Nov 2026 03:00:00 GMT", "Mon, 23 Nov 2026 24:00:00 GMT",
        "Mon, 23 Nov 2026 03:60:00 GMT", "Mon, 2x Nov 2026 03:00:00 GMT", "Mon, 23 Nov -026 03:00:00 GMT",
        "Mon,  3 Nov 2026 03:00:00 GMT", "Monday, 23-Nov-26 03:00:00 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text).has_value());
  }
}

TEST_CASE("before WeChat's first answer nobody knows how far the clock is off") {
  ClockSkew skew;
  CHECK_FALSE(skew.offset(three, start).has_value());
  CHECK_FALSE(skew.is_off(three, start));
  CHECK_FALSE(skew.is_unusable(three, start));
  skew.observe("no date", start);
  CHECK_FALSE(skew.offset(three, start).has_value());
}

TEST_CASE("two minutes off is worth an alarm, five are too many, either way") {
  ClockSkew skew;
  skew.observe(three_o_clock, start);
  CHECK(skew.offset(three, start) == 0s);
  for (int const sign : {1, -1}) {
    CHECK_FALSE(skew.is_off(three + sign * 119s, start));
    CHECK(skew.is_off(three + sign * 120s, start));
    CHECK_FALSE(skew.is_unusable(three + sign * 299s, start));
    CHECK(skew.is_unusable(three + sign * 300s, start));
  }
  CHECK(skew.offset(three - 300s, start) == 300s);
}

TEST_CASE("time that passes is no skew, a jump of our clock is one, and its correction ends it") {
  ClockSkew skew;
  skew.observe(three_o_clock, start);
  CHECK(skew.offset(three + 2h, start + 2h) == 0s);
  CHECK(skew.is_unusable(three + 2h + 10min, start + 2h));
  CHECK_FALSE(skew.is_unusable(three + 3h, start + 3h));
}

TEST_CASE("the last answer counts") {
  ClockSkew skew;
  skew.observe(three_o_clock, start);
  skew.observe("Mon, 23 Nov 2026 04:00:00 GMT", start + 1s);
  CHECK(skew.is_unusable(three + 1s, start + 1s));
  skew.observe("garbled", start + 2s);
  CHECK(skew.is_unusable(three + 2s, start + 2s));
  skew.observe("Mon, 23 Nov 2026 03:00:03 GMT", start + 3s);
  CHECK_FALSE(skew.is_off(three + 3s, start + 3s));
}
