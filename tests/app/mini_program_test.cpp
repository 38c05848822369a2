#include "app/mini_program.hpp"

#include <doctest/doctest.h>

#include <array>

#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_ledger.hpp"
#include "tests/support/memory_session_store.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_charges.hpp"
#include "tests/support/scripted_wechat.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

core::Task<bool> run_tokens(core::TokenKeeper& tokens) {
  co_await tokens.run();
  co_return true;
}

/// Two mini programs in one server.
struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  core::Log log{[](core::LogLevel, std::string_view) {}, core::LogLevel::error,
                [this] { return clock.wall(); }};
  ScriptedWeChat wechat{clock};
  MemoryLedger ledger;
  MemorySessionStore session_store;
  MemoryTokenStore token_store;
  MemoryUsage usage_store;
  ScriptedCharges charges;
  core::ClockSkew skew;
  core::crypto::Keyring keyring{std::array<unsigned char, 32>{1, 2, 3}};
  core::SessionBook sessions{{.idle = 2h, .longest = 24h}};
  app::MiniPrograms all;
  std::vector<Started<bool>> running;

  Bench() {
    for (char const* const appid : {"wx-broken", "wx-good"}) {
      auto const source_for = [this](core::AppAccount const& account) {
        return std::make_unique<core::WeChatTokens>(wechat, account, core::TokenEndpoint::stable);
      };
      all.add(std::make_unique<app::MiniProgram>(
          app::MiniProgram::Shared{.clock = clock,
                                   .ledger = ledger,
                                   .session_store = session_store,
                                   .token_store = token_store,
                                   .usage_store = usage_store,
                                   .wechat = wechat,
                                   .charges = charges,
                                   .skew = skew,
                                   .keyring = keyring,
                                   .sessions = sessions,
                                   .log = log},
          app::MiniProgram::Own{.account = {.appid = appid, .secret = core::AppSecret("a-secret")},
                                .spu_ids = {},
                                .wechat_answer_time = 3s,
                                .usage_poll = 300s,
                                .quota_low = {},
                                .daily_limits = {}},
          source_for, [] { return 0.0; }));
    }
    wechat.token_replies.push_back(ScriptedWeChat::says(R"({"errcode":40125,"errmsg":"invalid appsecret"})"));
    wechat.token_replies.push_back(ScriptedWeChat::says(R"({"access_token":"good","expires_in":7200})"));
    for (auto const& each : all.all()) {
      running.push_back(start(loop, run_tokens(each->tokens())));
      clock.settle();
    }
  }
  Bench(Bench const&) = delete;
  Bench& operator=(Bench const&) = delete;
  ~Bench() {
    for (auto const& each : all.all()) each->tokens().stop();
    clock.advance(1min);
  }

  core::PhoneResult consume(std::string const& appid) {
    core::ConsumeRequest request{.code = core::Code("a-code"), .appid = appid};
    auto started = start(loop, all.of(appid).consuming().consume(std::move(request)));
    clock.settle();
    REQUIRE(started.done());
    return started.value();
  }
};

core::ProblemCode problem_in(core::PhoneResult const& result) {
  return std::get<core::Problem>(result.answer).code;
}

/// What an earlier run heard last, of one pack.
core::LastUsage last_of(std::string const& appid, core::Kind kind, core::PackUsage pack,
                        core::WallTime as_of) {
  return {.appid = appid,
          .kind = kind,
          .snapshot =
              core::UsageSnapshot{.appid = appid, .kind = kind, .packs = {std::move(pack)}, .as_of = as_of}};
}

}  // namespace

TEST_CASE("one mini program's wrong secret leaves the other unharmed") {
  Bench bench;
  CHECK(bench.all.of("wx-broken").unreadiness() == "access_token refused: see the log");
  CHECK(bench.all.of("wx-good").unreadiness().empty());
  CHECK(problem_in(bench.consume("wx-broken")) == core::ProblemCode::service_misconfigured);
  bench.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
  CHECK(problem_in(bench.consume("wx-good")) == core::ProblemCode::code_invalid);
}

TEST_CASE("one mini program's limit at WeChat's closes its own line, not the other's") {
  Bench bench;
  bench.wechat.token_replies.push_back(
      ScriptedWeChat::says(R"({"access_token":"now-right","expires_in":7200})"));
  bench.all.of("wx-broken").use(core::AppSecret("the-right-one"));
  bench.clock.settle();
  bench.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":45011})"));
  CHECK(problem_in(bench.consume("wx-broken")) == core::ProblemCode::wechat_unavailable);
  CHECK_FALSE(bench.all.of("wx-broken").unreadiness().empty());
  CHECK(bench.all.of("wx-good").unreadiness().empty());
}

TEST_CASE("the same code in two mini programs is two codes") {
  Bench bench;
  bench.wechat.token_replies.push_back(
      ScriptedWeChat::says(R"({"access_token":"now-right","expires_in":7200})"));
  bench.all.of("wx-broken").use(core::AppSecret("the-right-one"));
  bench.clock.settle();
  for (char const* const appid : {"wx-good", "wx-broken"}) {
    bench.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
    CHECK(problem_in(bench.consume(appid)) == core::ProblemCode::code_invalid);
  }
  CHECK(bench.wechat.tokens_used == std::vector<std::string>{"good", "now-right"});
  CHECK(bench.ledger.rows.size() == 2);
}

TEST_CASE("a mini program that is not served is nobody's") {
  Bench bench;
  CHECK_THROWS_AS(static_cast<void>(bench.all.of("wx-other")), std::logic_error);
}

TEST_CASE("WeChat's figures of an earlier run are told until it is asked anew, with their time") {
  Bench bench;
  core::WallTime const then = bench.clock.wall() - 2h;
  app::MiniProgram& good = bench.all.of("wx-good");
  CHECK(good.quota(core::Kind::quick, std::nullopt).level == core::QuotaLevel::unknown);
  good.restore(last_of("wx-good", core::Kind::quick, {.pkg_id = "", .all = 1000, .used = 990}, then));
  CHECK(good.quota(core::Kind::quick, std::nullopt).level == core::QuotaLevel::low);
  CHECK(good.quota(core::Kind::quick, std::nullopt).as_of == then);
  CHECK(good.quota(core::Kind::realtime, std::nullopt).level == core::QuotaLevel::unknown);
  REQUIRE(good.forecast(core::Kind::quick, {}));
  CHECK(good.forecast(core::Kind::quick, {})->units_left == 10);
}

TEST_CASE("what operators should know of a mini program is its own") {
  Bench bench;
  core::AlarmObservation observed;
  core::Spending const spending;
  bench.all.of("wx-broken").observe(&spending, observed);
  REQUIRE(observed.conditions.size() == 1);
  CHECK(observed.conditions[0].subject.name == core::AlarmName::wechat_refused_configuration);
  CHECK(observed.conditions[0].subject.appid == "wx-broken");
  observed = {};
  app::MiniProgram& good = bench.all.of("wx-good");
  good.observe(&spending, observed);
  CHECK(observed.conditions.empty());
  bench.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":45011})"));
  static_cast<void>(bench.consume("wx-good"));
  good.restore(last_of("wx-good", core::Kind::realtime, {.pkg_id = "A", .all = 1000, .used = 940},
                       bench.clock.wall()));
  good.observe(&spending, observed);
  REQUIRE(observed.conditions.size() == 2);
  CHECK(observed.conditions[0].subject.name == core::AlarmName::calls_stopped);
  CHECK(observed.conditions[0].facts.at("cause").as_string() == "rate_limited");
  CHECK(observed.conditions[1].subject.name == core::AlarmName::quota_low);
  CHECK(observed.conditions[1].subject.kind == "realtime");
  CHECK(observed.units_given.size() == 1);
}
