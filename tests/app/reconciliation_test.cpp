#include "app/reconciliation.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <sstream>

#include "app/console.hpp"

using namespace onetap;
using core::reconciliation::Figures;

namespace {

/// A busy mini program: WeChat counts three more of the second pack, one of them in doubt.
std::vector<app::Reconciled> busy() {
  core::WallTime const noon{std::chrono::seconds(1'795'320'000)};
  Figures trial{
      .pack = 2, .units = 1000, .as_of = noon, .wx_all = 1000, .wx_used = 1000, .used_before = 1000};
  Figures paid{.pack = 31, .wx_pkg_id = "ZY2823973277692477440", .units = 9'000'000, .as_of = noon};
  paid.wx_all = paid.units;
  paid.wx_used = 8'123'460;
  paid.used_before = 1'000'000;
  paid.used = 7'123'450;
  paid.lost = 7;
  paid.doubt = 1;
  core::reconciliation::Books books{
      .appid = "wx0123456789abcdef", .kind = core::Kind::quick, .packs = {trial, paid}, .never_presented = 1};
  auto findings = core::reconciliation::explain(books);
  return {{.books = std::move(books), .findings = std::move(findings)}};
}

}  // namespace

TEST_CASE("packs stand in a table of which each line fits a terminal, and the explanation below its pack") {
  std::string const text = app::text_of(busy(), true);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(app::display_width(line) <= 100);
  }
  CHECK(text.starts_with("app wx0123456789abcdef, quick: WeChat's figures of 2026-11-22 12:00:00\n"));
  CHECK(text.find("     2  trial             1000     1000        0     0      0       0      0  AGREES\n") !=
        std::string::npos);
  CHECK(text.find("    31  …277692477440  8123460  1000000  7123450     7      1       1     +3  "
                  "WECHAT_COUNTS_MORE\n") != std::string::npos);
  CHECK(text.find("\n  pack 31 (ZY2823973277692477440)\n      +1  doubt") != std::string::npos);
  CHECK(text.find("\n      +1  never_presented") != std::string::npos);
  CHECK(text.find("\n      +1  unexplained") != std::string::npos);
  CHECK(text.find("pack 2 (") == std::string::npos);
  CHECK(app::text_of(busy(), false).find("doubt  ") < text.size());
  CHECK(app::text_of(busy(), false).find("unexplained") == std::string::npos);
}

TEST_CASE("programs read every figure, and each line of the explanation beside its pack") {
  boost::json::value const packs = boost::json::parse(app::json_of(busy()));
  REQUIRE(packs.as_array().size() == 2);
  CHECK(packs.at(0).at("verdict").as_string() == "AGREES");
  CHECK(packs.at(0).at("explanation").as_array().empty());
  CHECK(packs.at(1).at("wx_used").as_int64() == 8'123'460);
  CHECK(packs.at(1).at("drift").as_int64() == 3);
  CHECK(packs.at(1).at("unexplained").as_int64() == 1);
  CHECK(packs.at(1).at("explanation").at(1).at("cause").as_string() == "never_presented");
  CHECK(packs.at(1).at("explanation").at(2).at("units").as_int64() == 1);
  CHECK(app::json_of({}) == "[]\n");
  CHECK_FALSE(app::is_settled(busy()));
  CHECK(app::is_settled({}));
}

TEST_CASE("a day is China's, and only a day is one") {
  auto const day = app::day_of("2026-11-22");
  REQUIRE(day.has_value());
  CHECK(core::unix_seconds(day->until) - core::unix_seconds(day->from) == 86'400);
  CHECK(core::unix_seconds(day->from) == 1'795'320'000 - 12 * 3600);
  for (std::string const text : {"", "7d", "2026-02-30", "2026-11-22T", "yesterday1"})
    CHECK_FALSE(app::day_of(text).has_value());
}
