#include "core/billing/usage.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/billing/quota_standing.hpp"
#include "core/limits.hpp"
#include "tests/support/scripted_wechat.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;

namespace {

Result<UsagePage, UsageFailure> judged(std::string const& body) {
  return judge_usage_answer(ScriptedWeChat::says(body));
}

std::string answer_with(std::string const& details, int total = 1) {
  return R"({"errcode":0,"all":"10","effectiveAll":"10","total":)" + std::to_string(total) +
         R"(,"detailList":[)" + details + "]}";
}

std::string pack(std::string const& pkg_id, std::string const& used, std::string const& all, int status = 1) {
  return R"({"pkgId":")" + pkg_id + R"(","startTime":1677914190,"endTime":1709450190,"used":")" + used +
         R"(","all":")" + all + R"(","status":)" + std::to_string(status) + "}";
}

UsageFault fault_of(std::string const& body) {
  auto const answer = judged(body);
  REQUIRE_FALSE(answer.has_value());
  return answer.error().fault;
}

WallTime const noon = wall_time_of_unix_ms(1'795'320'000'000);

PackUsage in_force(std::int64_t all, std::int64_t used) { return {.pkg_id = "p", .all = all, .used = used}; }

UsageSnapshot snapshot_of(std::vector<PackUsage> packs, WallTime as_of = noon) {
  return {.appid = "wx1", .kind = Kind::quick, .packs = std::move(packs), .as_of = as_of};
}

std::string said(QuotaStanding const& standing) {
  Quota const quota = standing.quota(Kind::quick);
  std::string text(to_string(quota.level));
  if (quota.unavailable) text += " " + std::string(to_string(*quota.unavailable));
  return text;
}

}  // namespace

TEST_CASE("WeChat's documented answer is read: counters as strings, two packs") {
  auto const page = judged(
      R"({"errcode":0,"all":"10","effectiveAll":"10","effectiveUse":"0","startServiceTime":1669129510,"endServiceTime":1709450190,"total":2,
 "detailList":[{"pkgId":"ZY2823973277692477440","startTime":1677914190,"endTime":1709450190,"used":"1","all":"4","status":1,"spuId":"10000057","skuId":"20000059"},
               {"pkgId":"ZY2676590816357400576","startTime":1669129510,"endTime":1700665510,"used":"0","all":"6","status":3,"spuId":"10000057","skuId":"20000060"}]})");
  REQUIRE(page.has_value());
  CHECK(page->total == 2);
  REQUIRE(page->packs.size() == 2);
  CHECK(page->packs[0].pkg_id == "ZY2823973277692477440");
  CHECK(page->packs[0].all == 4);
  CHECK(page->packs[0].used == 1);
  CHECK(page->packs[0].starts == wall_time_of_unix_ms(1'677'914'190'000));
  CHECK(page->packs[0].ends == wall_time_of_unix_ms(1'709'450'190'000));
  CHECK(page->packs[1].status == PackUsage::Status::over);
  CHECK_FALSE(page->packs[1].is_trial());
}

TEST_CASE("the trial pack has no name and no end") {
  auto const page = judged(
      R"({"errcode":0,"all":"1000","effectiveAll":"0","total":1,
 "detailList":[{"all":"1000","used":"0","source":1,"startTime":1692979200,"spuId":"10000077","pkgId":"","endTime":4294967295,"skuId":"20000093","status":2}]})");
  REQUIRE(page.has_value());
  CHECK(page->packs.front().is_trial());
  CHECK(page->packs.front().ends == std::nullopt);
  CHECK(page->packs.front().status == PackUsage::Status::not_yet);
}

TEST_CASE("a pack of which nothing is said to be used is unused") {
  auto const page = judged(answer_with(R"({"pkgId":"p","all":"4","status":1})"));
  REQUIRE(page.has_value());
  CHECK(page->packs.front().used == 0);
}

TEST_CASE("an account without packs has an answer without packs") {
  for (std::string const body : {R"({"errcode":0,"all":"0","total":0,"detailList":[]})",
                                 R"({"errcode":0,"all":"0"})", R"({"errcode":0,"detailList":null})"}) {
    CAPTURE(body);
    auto const page = judged(body);
    REQUIRE(page.has_value());
    CHECK(page->packs.empty());
  }
}

TEST_CASE("half a figure is no figure: whatever cannot be read spoils the whole page") {
  for (std::string const& detail : std::vector<std::string>{
           pack("p", "-1", "4"), pack("p", "1", "a"), pack("p", "1", "9999999999999"), pack("p", "1", "4", 0),
           pack("p", "1", "4", 4), pack(std::string(65, 'p'), "1", "4"), "7",
           R"({"pkgId":"p","used":"4","status":1})"}) {
    CAPTURE(detail);
    CHECK(fault_of(answer_with(pack("q", "1", "4") + "," + detail)) == UsageFault::unavailable);
  }
  CHECK(fault_of(R"({"errcode":0,"detailList":"none"})") == UsageFault::unavailable);
  CHECK(fault_of(answer_with(pack("p", "1", "4"), -1)) == UsageFault::unavailable);
  CHECK(fault_of(answer_with(pack("p", "1", "4"), 100'000)) == UsageFault::unavailable);
  CHECK(fault_of("<html>") == UsageFault::unavailable);
  CHECK(fault_of("{}") == UsageFault::unavailable);
}

TEST_CASE("what WeChat refuses tells who has to act") {
  CHECK(fault_of(R"({"errcode":-1,"errmsg":"system error"})") == UsageFault::unavailable);
  CHECK(fault_of(R"({"errcode":45009})") == UsageFault::unavailable);
  CHECK(fault_of(R"({"errcode":40001})") == UsageFault::token_refused);
  CHECK(fault_of(R"({"errcode":42001})") == UsageFault::token_refused);
  CHECK(fault_of(R"({"errcode":10120700})") == UsageFault::not_entitled);
  CHECK(fault_of(R"({"errcode":10120002})") == UsageFault::not_entitled);
  CHECK(fault_of(R"({"errcode":48001})") == UsageFault::not_entitled);
  auto const silent =
      judge_usage_answer(ScriptedWeChat::fails(Delivery::maybe_sent, TransportFailure::timeout));
  REQUIRE_FALSE(silent.has_value());
  CHECK(silent.error().fault == UsageFault::unavailable);
  CHECK(silent.error().hint == "no answer in time");
}

TEST_CASE("the average is a number, or there is none yet") {
  auto const average =
      judge_average_answer(ScriptedWeChat::says(R"({"errcode":0,"errmsg":"ok","averageData":260000})"));
  REQUIRE(average.has_value());
  CHECK(*average == 260'000);
  auto const none = judge_average_answer(ScriptedWeChat::says(R"({"errcode":10122000})"));
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().fault == UsageFault::no_figures);
}

TEST_CASE("before WeChat has said anything, nobody knows") {
  QuotaStanding const standing({});
  CHECK(said(standing) == "unknown");
  CHECK_FALSE(standing.quota(Kind::quick).as_of);
}

TEST_CASE("only packs in force count, and only WeChat says exhausted") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({in_force(1000, 100)}));
  CHECK(said(standing) == "ok");
  CHECK(standing.quota(Kind::quick).as_of == noon);
  CHECK(standing.quota(Kind::realtime).level == QuotaLevel::unknown);
  standing.observed(snapshot_of(
      {in_force(1000, 1000), {.pkg_id = "q", .status = PackUsage::Status::over, .all = 500, .used = 0}}));
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 1000), in_force(4, 0)}));
  CHECK(said(standing) == "low");
}

TEST_CASE("what this server has counted since makes it low at most") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({in_force(100, 0)}));
  for (int i = 0; i < 90; ++i) standing.counted(Kind::quick);
  CHECK(said(standing) == "ok");
  for (int i = 0; i < 1000; ++i) standing.counted(Kind::quick);
  CHECK(said(standing) == "low");
  standing.observed(snapshot_of({in_force(100, 10)}));
  CHECK(said(standing) == "ok");
}

TEST_CASE("what lasts only some days is low, however large its share") {
  QuotaStanding standing({.share = 0.1, .days = 3});
  standing.observed(snapshot_of({in_force(1000, 0)}));
  standing.averaged(Kind::quick, 9'990);
  CHECK(said(standing) == "ok");
  standing.averaged(Kind::quick, 10'010);
  CHECK(said(standing) == "low");
}

TEST_CASE("the figures are WeChat's, less what came since, and none before it has told") {
  QuotaStanding standing({});
  CHECK_FALSE(standing.figures(Kind::quick).has_value());
  standing.observed(snapshot_of({in_force(1000, 900)}));
  standing.counted(Kind::quick);
  auto figures = standing.figures(Kind::quick);
  REQUIRE(figures.has_value());
  CHECK(figures->as_of == noon);
  CHECK(figures->units == 1000);
  CHECK(figures->left == 99);
  CHECK_FALSE(figures->days_left.has_value());
  standing.averaged(Kind::quick, 30);
  CHECK(standing.figures(Kind::quick)->days_left == doctest::Approx(99));
  for (int i = 0; i < 200; ++i) standing.counted(Kind::quick);
  CHECK(standing.figures(Kind::quick)->left == 0);
  CHECK_FALSE(standing.figures(Kind::realtime).has_value());
}

TEST_CASE("an account that is exempt from fees is never low") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({}));
  for (int i = 0; i < 100; ++i) standing.counted(Kind::quick);
  CHECK(said(standing) == "ok");
  standing.observed(snapshot_of({{.pkg_id = "", .status = PackUsage::Status::not_yet, .all = 1000}}));
  CHECK(said(standing) == "ok");
}

TEST_CASE("the push of 0 % counts at once, whatever lagging figures say, until units are bought") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({in_force(1000, 990)}));
  standing.told(Kind::quick, 0, noon + seconds(10));
  CHECK(said(standing) == "exhausted exhausted");
  CHECK(standing.quota(Kind::quick).as_of == noon + seconds(10));
  standing.observed(snapshot_of({in_force(1000, 991)}, noon + seconds(20)));
  CHECK(said(standing) == "exhausted exhausted");
  PackUsage const bought{.pkg_id = "new", .all = 100, .used = 1};
  standing.observed(snapshot_of({in_force(1000, 995), bought}, noon + seconds(60)));
  CHECK(said(standing) == "low");
}

TEST_CASE("a pack bought in the place of one that is over ends what the push said, however small") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({in_force(1000, 999)}));
  standing.told(Kind::quick, 0, noon + seconds(10));
  PackUsage over = in_force(1000, 1000);
  over.status = PackUsage::Status::over;
  standing.observed(snapshot_of({over, {.pkg_id = "new", .all = 1000, .used = 950}}, noon + seconds(60)));
  CHECK(said(standing) == "low");
}

TEST_CASE("figures that are nowhere near nothing end what a push said, forged or not") {
  QuotaStanding standing({});
  standing.told(Kind::quick, 0, noon);
  standing.observed(snapshot_of({in_force(1000, 899)}, noon + seconds(10)));
  CHECK(said(standing) == "ok");
}

TEST_CASE("a list that lags does not take back at once what a push said, when little was left before it") {
  QuotaStanding standing({});
  standing.observed(snapshot_of({in_force(1000, 880)}));
  for (int i = 0; i < 60; ++i) standing.counted(Kind::quick);
  standing.told(Kind::quick, 0, noon + seconds(30));
  standing.observed(snapshot_of({in_force(1000, 880)}, noon + seconds(40)));
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 880)}, noon + seconds(30) + limits::usage_lag_max));
  CHECK(said(standing) == "ok");
}

TEST_CASE("what was pushed survives a restart, until figures of ten minutes later say otherwise") {
  QuotaStanding standing({});
  standing.restore({.appid = "wx1",
                    .kind = Kind::quick,
                    .snapshot = snapshot_of({in_force(1000, 950)}),
                    .told = ToldPercent{.percent_left = 0, .at = noon + seconds(10)}},
                   noon + seconds(30));
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 960)}, noon + seconds(60)));
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 960)}, noon + seconds(10) + limits::usage_lag_max));
  CHECK(said(standing) == "low");
}

TEST_CASE("after a restart a list that lags takes back a push no sooner, and none counts for ever") {
  LastUsage const last{.appid = "wx1",
                       .kind = Kind::quick,
                       .snapshot = snapshot_of({in_force(1000, 880)}),
                       .told = ToldPercent{.percent_left = 0, .at = noon + seconds(10)}};
  QuotaStanding standing({});
  standing.restore(last, noon + seconds(30));
  standing.observed(snapshot_of({in_force(1000, 880)}, noon + seconds(40)));
  CHECK(said(standing) == "exhausted exhausted");
  QuotaStanding later({});
  later.restore(last, noon + seconds(86'500));
  CHECK(said(later) == "ok");
}

TEST_CASE("figures that stay above nothing for ten minutes end what the push said") {
  QuotaStanding standing({});
  standing.told(Kind::quick, 0, noon);
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 950)}, noon - seconds(1)));
  standing.observed(snapshot_of({in_force(1000, 960)}, noon + seconds(1)));
  CHECK(said(standing) == "exhausted exhausted");
  standing.observed(snapshot_of({in_force(1000, 960)}, noon + limits::usage_lag_max));
  CHECK(said(standing) == "low");
}

TEST_CASE("the last push counts, not one that comes late or a second time") {
  QuotaStanding standing({});
  standing.told(Kind::quick, 0, noon);
  standing.told(Kind::quick, 5, noon - seconds(60));
  CHECK(said(standing) == "exhausted exhausted");
  standing.told(Kind::quick, 20, noon + seconds(60));
  CHECK(said(standing) == "unknown");
  standing.told(Kind::quick, 0, noon);
  CHECK(said(standing) == "unknown");
  standing.observed(snapshot_of({in_force(1000, 0)}, noon + seconds(3600)));
  standing.told(Kind::quick, 0, noon + seconds(120));
  CHECK(said(standing) == "ok");
}
