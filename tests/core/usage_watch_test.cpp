#include "core/billing/usage_watch.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_charges.hpp"
#include "tests/support/scripted_wechat.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

core::Task<bool> finish(core::Task<> task) {
  co_await std::move(task);
  co_return true;
}

/// A watch that runs, with a token at hand, on time that stands still.
struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::info,
          [this] { return clock.wall(); }};
  ScriptedWeChat wechat{clock};
  AppAccount account{.appid = "wx1", .secret = AppSecret("a-secret")};
  WeChatTokens source{wechat, account, TokenEndpoint::stable};
  MemoryTokenStore token_store;
  crypto::Keyring keyring{std::array<unsigned char, 32>{1, 2, 3}};
  TokenKeeper tokens{{.clock = clock, .source = source, .store = token_store, .keyring = keyring, .log = log},
                     "wx1",
                     3s,
                     [] { return 0.0; }};
  ScriptedCharges charges;
  MemoryUsage store;
  QuotaStanding standing{{}};
  UsageWatch watch{
      {.clock = clock, .wechat = charges, .tokens = tokens, .store = store, .standing = standing, .log = log},
      "wx1",
      SpuIds(),
      300s};
  std::optional<Started<bool>> holding;
  std::optional<Started<bool>> watching;

  Bench() { will_give("first"); }
  Bench(Bench const&) = delete;
  Bench& operator=(Bench const&) = delete;
  ~Bench() {
    watch.stop();
    tokens.stop();
    clock.advance(1min);
  }

  void will_give(std::string const& token) {
    wechat.token_replies.push_back(
        ScriptedWeChat::says(R"({"access_token":")" + token + R"(","expires_in":7200})"));
  }
  void run() {
    holding.emplace(start(loop, finish(tokens.run())));
    watching.emplace(start(loop, finish(watch.run())));
    clock.settle();
  }
  void advance(milliseconds by) { clock.advance(by); }
  [[nodiscard]] std::size_t rounds() const { return charges.asked.size() / 2; }  // of both kinds
  [[nodiscard]] int lines_with(std::string_view text) const {
    int count = 0;
    for (std::string const& line : lines) count += line.find(text) == std::string::npos ? 0 : 1;
    return count;
  }
};

}  // namespace

TEST_CASE("WeChat is asked for both kinds at the start and then every five minutes; figures are kept") {
  Bench bench;
  bench.run();
  REQUIRE(bench.charges.asked.size() == 2);
  CHECK(bench.charges.asked[0].spu_id == 10'000'077);
  CHECK(bench.charges.asked[0].token == "first");
  CHECK(bench.charges.asked[1].spu_id == 10'000'086);
  REQUIRE(bench.store.kept.size() == 2);
  CHECK(bench.store.kept[0].appid == "wx1");
  CHECK(bench.store.kept[1].kind == Kind::realtime);
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::ok);
  bench.advance(299s);
  CHECK(bench.rounds() == 1);
  bench.advance(1s);
  CHECK(bench.rounds() == 2);
}

TEST_CASE("what is pushed is kept for the next start, and so is its end") {
  Bench bench;
  bench.run();
  CHECK(bench.store.pushed.empty());
  ToldPercent const told{.percent_left = 5, .at = bench.clock.wall()};
  bench.standing.told(Kind::quick, told.percent_left, told.at);
  bench.watch.ask_soon();
  bench.advance(1s);
  REQUIRE(bench.store.pushed.size() == 1);
  CHECK(bench.store.pushed[0].kind == Kind::quick);
  CHECK(bench.store.pushed[0].told == told);
  bench.charges.replies.push_back(ScriptedWeChat::says(
      R"({"errcode":0,"total":1,"detailList":[{"pkgId":"bought","status":1,"all":"10","used":"0"}]})"));
  bench.advance(600s);
  REQUIRE(bench.store.pushed.size() == 2);
  CHECK_FALSE(bench.store.pushed[1].told);
}

TEST_CASE("packs beyond one page are fetched page by page, and kept as one answer") {
  Bench bench;
  std::string details;
  for (int i = 0; i < 20; ++i) {
    details += (i == 0 ? "" : ",") + std::string(R"({"pkgId":"p)") + std::to_string(i) +
               R"(","status":1,"all":"10","used":"1"})";
  }
  bench.charges.replies.push_back(
      ScriptedWeChat::says(R"({"errcode":0,"total":21,"detailList":[)" + details + "]}"));
  bench.charges.replies.push_back(ScriptedWeChat::says(
      R"({"errcode":0,"total":21,"detailList":[{"pkgId":"p20","status":1,"all":"10","used":"1"}]})"));
  bench.run();
  REQUIRE(bench.charges.asked.size() == 3);
  CHECK(bench.charges.asked[1].offset == 20);
  CHECK(bench.store.kept.front().packs.size() == 21);
  CHECK(bench.store.kept.front().units_left() == 21 * 9);
}

TEST_CASE("pages that do not add up to their total are no figures") {
  std::string const page_of_one =
      R"({"errcode":0,"total":2,"detailList":[{"pkgId":"a","status":3,"all":"9","used":"9"}]})";
  std::string const none = R"({"errcode":0,"total":2,"detailList":[]})";
  for (std::string const& second : {none, page_of_one}) {
    Bench bench;
    bench.charges.replies.push_back(ScriptedWeChat::says(page_of_one));
    bench.charges.replies.push_back(ScriptedWeChat::says(second));
    bench.run();
    CHECK(bench.charges.asked.size() == 3);
    CHECK(bench.store.kept.size() == 1);  // of the other kind
    CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::unknown);
    CHECK(bench.lines_with("do not add up") == 1);
  }
}

TEST_CASE("packs that are counted and not listed are no account without packs") {
  Bench bench;
  bench.charges.usual = ScriptedWeChat::says(R"({"errcode":0,"total":3})");
  bench.run();
  CHECK(bench.store.kept.empty());
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::unknown);
}

TEST_CASE("while little is left WeChat is asked five times as often, and once used up within the minute") {
  Bench bench;
  bench.charges.usual = ScriptedWeChat::says(ScriptedCharges::figures(1000, 950));
  bench.run();
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::low);
  bench.advance(60s);
  CHECK(bench.rounds() == 2);
  bench.charges.usual = ScriptedWeChat::says(ScriptedCharges::figures(1000, 1000));
  bench.advance(60s);
  CHECK(bench.standing.quota(Kind::quick).unavailable == NoQuota::exhausted);
  bench.charges.usual = ScriptedWeChat::says(ScriptedCharges::figures(2000, 1000));
  bench.advance(50s);
  CHECK_FALSE(bench.standing.quota(Kind::quick).unavailable);
  CHECK(bench.rounds() == 4);
}

TEST_CASE("failures are told once, asked again ever more seldom, and their end is told") {
  Bench bench;
  bench.charges.usual = ScriptedWeChat::says(R"({"errcode":-1,"errmsg":"system error"})");
  bench.run();
  CHECK(bench.rounds() == 1);
  bench.advance(30s);
  CHECK(bench.rounds() == 2);
  bench.advance(59s);
  CHECK(bench.rounds() == 2);
  bench.advance(1s);
  CHECK(bench.rounds() == 3);
  CHECK(bench.lines_with("usage_unavailable") == 2);  // once for each kind
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::unknown);
  bench.charges.usual = ScriptedWeChat::says(ScriptedCharges::figures(10, 0));
  bench.advance(10min);
  CHECK(bench.lines_with("usage_available") == 2);
}

TEST_CASE("an account that may not ask is told so, and asked about once an hour") {
  Bench bench;
  bench.charges.usual = ScriptedWeChat::says(R"({"errcode":10120700,"errmsg":"spuId"})");
  bench.run();
  bench.advance(59min);
  CHECK(bench.rounds() == 1);
  bench.advance(1min);
  CHECK(bench.rounds() == 2);
  CHECK(bench.lines_with("ONETAP_SPU_QUICK") == 2);
}

TEST_CASE("an account without packs is said once, and is no error") {
  Bench bench;
  bench.charges.usual = ScriptedWeChat::says(R"({"errcode":0,"total":0,"detailList":[]})");
  bench.run();
  bench.advance(1h);
  CHECK(bench.rounds() == 13);
  CHECK(bench.lines_with("usage_has_no_packs") == 2);
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::ok);
}

TEST_CASE("a token that is refused here is still the codes' token, and is not fetched anew") {
  Bench bench;
  bench.will_give("second");
  bench.charges.usual = ScriptedWeChat::says(R"({"errcode":40001})");
  bench.run();
  bench.advance(1h);
  CHECK(bench.wechat.token_requests == 1);
  CHECK(bench.tokens.current().has_value());
  CHECK(bench.lines_with(R"("fault":"token_refused")") == 2);  // once for each kind
  bench.charges.usual = ScriptedWeChat::says(ScriptedCharges::figures(10, 0));
  bench.advance(1h);
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::ok);
}

TEST_CASE("a push has WeChat asked soon, however many come") {
  Bench bench;
  bench.run();
  for (int i = 0; i < 100; ++i) bench.watch.ask_soon();
  bench.advance(9s);
  CHECK(bench.rounds() == 1);
  bench.advance(1s);
  CHECK(bench.rounds() == 2);
  bench.advance(60s);
  CHECK(bench.rounds() == 2);
}

TEST_CASE("a push long after the last question has WeChat asked at once") {
  Bench bench;
  bench.run();
  bench.advance(100s);
  bench.watch.ask_soon();
  bench.clock.settle();
  CHECK(bench.rounds() == 2);
}

TEST_CASE("a push that comes while WeChat is being asked has it asked again") {
  Bench bench;
  bench.charges.holds = true;
  bench.charges.clock = &bench.clock;
  bench.run();
  CHECK(bench.charges.asked.size() == 1);
  bench.watch.ask_soon();
  bench.charges.let_go();
  bench.clock.settle();
  CHECK(bench.charges.asked.size() == 2);
  bench.advance(10s);
  CHECK(bench.charges.asked.size() == 3);  // the other kind was still to come
}

TEST_CASE("the average of late is asked for a few times a day") {
  Bench bench;
  for (std::string const token : {"second", "third", "fourth"}) bench.will_give(token);
  bench.charges.average = ScriptedWeChat::says(R"({"errcode":0,"averageData":60000})");
  bench.run();
  CHECK(bench.charges.averages_asked == 2);
  bench.advance(5h);
  CHECK(bench.charges.averages_asked == 2);
  bench.advance(1h + 300s);
  CHECK(bench.charges.averages_asked == 4);
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::low);  // 2,000 a day, and 1,000 left
}

TEST_CASE("figures that the ledger could not take still tell the pages") {
  Bench bench;
  bench.store.accepts = false;
  bench.run();
  CHECK(bench.standing.quota(Kind::quick).level == QuotaLevel::ok);
  CHECK(bench.lines_with("usage_not_kept") == 2);
}

TEST_CASE("packs that the ledger does not take are told once, and so is a doubt that the figures ended") {
  Bench bench;
  bench.store.becomes.left_out = {{.pkg_id = "ZY1", .why = "units must be 1 to 1000000000"}};
  bench.store.becomes.doubts_lost = {7};
  bench.run();
  bench.advance(300s);
  CHECK(bench.rounds() == 2);
  CHECK(bench.lines_with("usage_pack_left_out") == 2);  // once for each kind
  CHECK(bench.lines_with(R"("pack":"ZY1","what":"units must be)") == 2);
  CHECK(bench.lines_with("doubt_resolved") == 4);
}

TEST_CASE("whoever asks now waits for WeChat's figures, and takes those of a moment ago") {
  Bench bench;
  bench.run();
  auto const ask = [&] { return start(bench.loop, bench.watch.ask_now(bench.clock.steady() + 8s)); };
  auto fresh = ask();
  bench.clock.settle();
  CHECK(bench.rounds() == 1);
  CHECK(fresh.value());
  bench.advance(60s);
  auto now = ask();
  bench.clock.settle();
  CHECK(bench.rounds() == 2);
  CHECK(now.value());
}

TEST_CASE("whoever asks now is told when no figures come") {
  Bench bench;
  bench.run();
  bench.advance(60s);
  SUBCASE("WeChat refuses") { bench.charges.usual = ScriptedWeChat::says(R"({"errcode":-1})"); }
  SUBCASE("the ledger takes none") { bench.store.accepts = false; }
  SUBCASE("WeChat is silent") {
    bench.charges.holds = true;
    bench.charges.clock = &bench.clock;
  }
  auto asked = start(bench.loop, bench.watch.ask_now(bench.clock.steady() + 3s));
  bench.advance(3s);
  CHECK_FALSE(asked.value());
  bench.charges.let_go();
}

TEST_CASE("why there are no figures can be asked, until there are some; each answer is told of") {
  Bench bench;
  bench.charges.replies.push_back(ScriptedWeChat::says(R"({"errcode":10120700})"));
  bench.run();
  CHECK(bench.watch.fault(Kind::quick) == UsageFault::not_entitled);
  CHECK_FALSE(bench.watch.fault(Kind::realtime));
  CHECK(to_string(UsageFault::not_entitled) == "not_entitled");
  bench.watch.ask_soon();
  bench.advance(limits::usage_interval_min);
  CHECK_FALSE(bench.watch.fault(Kind::quick));
  REQUIRE(bench.standing.snapshot(Kind::quick) != nullptr);
  CHECK(bench.standing.snapshot(Kind::quick)->units() == 1000);
}
