#include "core/exchange/clock_skew.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<unsigned> digits(std::string_view text) {
  unsigned number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::string_view form = "ddd, 00 mmm 0000 00:00:00 GMT";
  if (text.size() != form.size() || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
  if (text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
    return std::nullopt;
  auto const month = std::ranges::find(months, text.substr(8, 3));
  auto const day = digits(text.substr(5, 2));
  auto const year = digits(text.substr(12, 4));
  auto const hour = digits(text.substr(17, 2));
  auto const minute = digits(text.substr(20, 2));
  auto const second = digits(text.substr(23, 2));
  if (month == months.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  std::chrono::year_month_day const date{
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1), std::chrono::day(*day)};
  constexpr unsigned leap_second = 60;
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > leap_second) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         seconds(*second);
}

void ClockSkew::observe(std::string_view date, SteadyTime now) {
  if (auto const theirs = parse_http_date(date)) last_ = Observation{.theirs = *theirs, .at = now};
}

std::optional<seconds> ClockSkew::offset(WallTime wall_now, SteadyTime now) const {
  if (!last_) return std::nullopt;
  WallTime const theirs = last_->theirs + std::chrono::duration_cast<milliseconds>(now - last_->at);
  return std::chrono::duration_cast<seconds>(theirs - wall_now);
}

bool ClockSkew::is_off(WallTime wall_now, SteadyTime now) const {
  auto const off = offset(wall_now, now);
  return off && std::chrono::abs(*off) >= limits::clock_skew_alarm;
}

bool ClockSkew::is_unusable(WallTime wall_now, SteadyTime now) const {
  auto const off = offset(wall_now, now);
  return off && std::chrono::abs(*off) >= limits::clock_skew_refused;
}

}  // namespace onetap::core
