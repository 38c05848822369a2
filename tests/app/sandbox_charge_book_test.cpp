#include "app/sandbox/charge_book.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>
#include <string>

using namespace onetap::app;
using namespace std::chrono_literals;
namespace core = onetap::core;

namespace {

constexpr auto quick = core::Kind::quick;
core::WallTime const noon = core::wall_time_of_unix_ms(1'795'320'000'000);
std::int64_t const noon_s = core::unix_seconds(noon);

/// "pkgId status used/all", pack by pack.
std::string told(ChargeBook& book, core::WallTime now, std::size_t offset = 0, std::size_t limit = 20) {
  auto const answer = book.usage(ChargeBook::quick_spu_id, offset, limit, now);
  REQUIRE(answer.has_value());
  std::string text;
  for (auto const& pack : answer->at("detailList").as_array()) {
    auto const member = [&](char const* name) { return std::string(pack.at(name).as_string()); };
    if (!text.empty()) text += ", ";
    text += member("pkgId") + " " + std::to_string(pack.at("status").as_int64()) + " " + member("used") +
            "/" + member("all");
  }
  return text;
}

void burn(ChargeBook& book, int times, core::WallTime now) {
  for (int i = 0; i < times; ++i) book.burn(quick, now);
}

}  // namespace

TEST_CASE("units burn in WeChat's order: the trial first, then the nearest end, then the lowest name") {
  ChargeBook book;
  book.set_packs(quick, {{.pkg_id = "c", .all = 2, .ends_s = noon_s + 7200},
                         {.pkg_id = "b", .all = 2, .ends_s = noon_s + 3600},
                         {.pkg_id = "a", .all = 2, .ends_s = noon_s + 7200},
                         {.pkg_id = "", .all = 2}});
  burn(book, 3, noon);
  CHECK(told(book, noon) == "c 1 0/2, b 1 1/2, a 1 0/2,  1 2/2");
  burn(book, 3, noon);
  CHECK(told(book, noon) == "c 1 0/2, b 1 2/2, a 1 2/2,  1 2/2");
  burn(book, 9, noon);
  CHECK(told(book, noon) == "c 1 2/2, b 1 2/2, a 1 2/2,  1 2/2");
}

TEST_CASE("packs that have not begun or are over burn nothing, and say so") {
  ChargeBook book;
  book.set_packs(quick, {{.pkg_id = "over", .all = 5, .ends_s = noon_s},
                         {.pkg_id = "later", .all = 5, .starts_s = noon_s + 60}});
  burn(book, 1, noon);
  CHECK(told(book, noon) == "over 3 0/5, later 2 0/5");
  burn(book, 1, noon + 60s);
  CHECK(told(book, noon + 60s) == "over 3 0/5, later 1 1/5");
}

TEST_CASE("figures lag as long as they are told to") {
  ChargeBook book;
  book.set_packs(quick, {{.pkg_id = "a", .all = 5}});
  book.set_lag(60s);
  burn(book, 1, noon);
  burn(book, 2, noon + 30s);
  CHECK(told(book, noon + 59s) == "a 1 0/5");
  CHECK(told(book, noon + 60s) == "a 1 1/5");
  CHECK(told(book, noon + 90s) == "a 1 3/5");
}

TEST_CASE("figures come page by page, with the whole number on each") {
  ChargeBook book;
  book.set_packs(quick, {{.pkg_id = "a", .all = 1}, {.pkg_id = "b", .all = 1}, {.pkg_id = "c", .all = 1}});
  CHECK(told(book, noon, 0, 2) == "a 1 0/1, b 1 0/1");
  CHECK(told(book, noon, 2, 2) == "c 1 0/1");
  CHECK(book.usage(ChargeBook::quick_spu_id, 2, 2, noon)->at("total").to_number<int>() == 3);
}

TEST_CASE("an account that is exempt has no packs; another spuId is none") {
  ChargeBook book;
  book.set_packs(quick, {});
  burn(book, 3, noon);
  CHECK(told(book, noon).empty());
  CHECK_FALSE(book.usage("10000057", 0, 20, noon).has_value());
  CHECK_FALSE(book.average("10000057").has_value());
}

TEST_CASE("the average is a number, or the errcode that there is none") {
  ChargeBook book;
  CHECK(book.average(ChargeBook::quick_spu_id)->at("errcode").to_number<int>() == 10122000);
  book.set_average(quick, 50);
  CHECK(book.average(ChargeBook::quick_spu_id)->at("averageData").to_number<int>() == 50);
  CHECK(book.average(ChargeBook::realtime_spu_id)->at("errcode").to_number<int>() == 10122000);
}
