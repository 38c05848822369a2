#include <doctest/doctest.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "core/token/keeper.hpp"
#include "core/token/schedule.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_wechat.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
using core::HeldToken;
using core::SteadyTime;
using core::TokenSchedule;

namespace {

SteadyTime const start_time{std::chrono::hours(1000)};

core::milliseconds until_fetch(TokenSchedule const& schedule, SteadyTime now) {
  return std::chrono::duration_cast<core::milliseconds>(schedule.next_fetch() - now);
}

std::string token_body(std::string const& token, int lifetime_s) {
  return R"({"access_token":")" + token + R"(","expires_in":)" + std::to_string(lifetime_s) + "}";
}

core::Task<bool> run_keeper(core::TokenKeeper& keeper) {
  co_await keeper.run();
  co_return true;
}

/// A keeper that runs, on time that stands still. What WeChat is asked beyond the script fails.
struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  ScriptedWeChat wechat{clock};
  core::AppAccount account{.appid = "wx0123456789abcdef", .secret = core::AppSecret("a-secret")};
  core::WeChatTokens source{wechat, account, core::TokenEndpoint::stable};
  MemoryTokenStore store;
  core::crypto::Keyring keyring{std::array<unsigned char, 32>{1, 2, 3}};
  core::TokenKeeper keeper{{.clock = clock, .source = source, .store = store, .keyring = keyring, .log = log},
                           "wx0123456789abcdef",
                           3s,
                           [] { return 0.0; }};
  std::optional<Started<bool>> running;

  Bench() = default;
  Bench(Bench const&) = delete;
  Bench& operator=(Bench const&) = delete;
  ~Bench() {
    keeper.stop();
    wechat.let_go();
    clock.advance(1min);
  }

  void will_say(std::string body) { wechat.token_replies.push_back(ScriptedWeChat::says(std::move(body))); }
  void will_fail() {
    wechat.token_replies.push_back(
        ScriptedWeChat::fails(core::Delivery::not_sent, core::TransportFailure::connect));
  }
  void run() {
    running.emplace(start(loop, run_keeper(keeper)));
    clock.settle();
  }
  Started<std::optional<HeldToken>> get(core::milliseconds patience) {
    auto waiting = start(loop, keeper.get(clock.steady() + patience));
    clock.settle();
    return waiting;
  }
  [[nodiscard]] std::string token_now() const {
    auto const held = keeper.current();
    return held ? std::string(held->token.reveal()) : "none";
  }
};

}  // namespace

TEST_CASE("the first token is due at once") { CHECK(TokenSchedule(start_time).next_fetch() == start_time); }

TEST_CASE("a token is replaced five minutes ahead of its end, or at half its life where that is short") {
  struct Row {
    int lifetime_s;
    core::milliseconds refresh_after;
  };
  for (Row const& row : {Row{7200, 6900s}, Row{600, 300s}, Row{601, 301s}, Row{599, 299s}, Row{301, 150s},
                         Row{300, 150s}, Row{60, 30s}, Row{10, 10s}, Row{1, 10s}}) {
    CAPTURE(row.lifetime_s);
    TokenSchedule schedule(start_time);
    schedule.fetched(start_time, core::seconds(row.lifetime_s), 0.0);
    CHECK(until_fetch(schedule, start_time) == row.refresh_after);
  }
}

TEST_CASE("jitter moves a refresh earlier by less than a tenth") {
  TokenSchedule schedule(start_time);
  schedule.fetched(start_time, 7200s, 0.5);
  CHECK(until_fetch(schedule, start_time) == 6900s - 345s);
  schedule.fetched(start_time, 7200s, 0.999);
  CHECK(until_fetch(schedule, start_time) > 6210s);
}

TEST_CASE("two days of WeChat's stable token take few fetches and never leave a gap") {
  constexpr auto two_days = 48h;
  constexpr auto life = 7200s;
  constexpr auto overlap = 300s;  // asked in its last five minutes, WeChat hands out the next one
  struct Row {
    double jitter;
    int fetches_max;
  };
  for (Row const& row : {Row{0.0, 27}, Row{0.5, 120}, Row{0.999, 120}}) {
    CAPTURE(row.jitter);
    TokenSchedule schedule(start_time);
    SteadyTime const end = start_time + two_days;
    SteadyTime expires = start_time;
    int fetches = 0;
    while (schedule.next_fetch() < end) {
      SteadyTime const now = schedule.next_fetch();
      if (fetches > 0) CHECK(now < expires);
      ++fetches;
      if (expires - now <= overlap) expires = now + life;
      schedule.fetched(now, std::chrono::floor<core::seconds>(expires - now), row.jitter);
      REQUIRE(schedule.next_fetch() >= now + 10s);
    }
    CHECK(fetches >= 25);
    CHECK(fetches <= row.fetches_max);
  }
}

TEST_CASE("tokens that live five minutes only are fetched twice in their life, for two days") {
  TokenSchedule schedule(start_time);
  int fetches = 0;
  while (schedule.next_fetch() < start_time + 48h) {
    ++fetches;
    schedule.fetched(schedule.next_fetch(), 300s, 0.0);
  }
  CHECK(fetches == 48 * 3600 / 150);
}

TEST_CASE("failures back off to a minute, and a success forgets them") {
  TokenSchedule schedule(start_time);
  for (core::seconds const pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
    SteadyTime const now = schedule.next_fetch();
    schedule.failed(now);
    CHECK(until_fetch(schedule, now) == pause);
  }
  schedule.fetched(start_time, 7200s, 0.0);
  schedule.failed(start_time);
  CHECK(until_fetch(schedule, start_time) == 1s);
}

TEST_CASE("after years of failures the pause is still a minute") {
  TokenSchedule schedule(start_time);
  for (int i = 0; i < 1'000'000; ++i) schedule.failed(start_time);
  CHECK(until_fetch(schedule, start_time) == 60s);
}

TEST_CASE("what only the operator can mend is tried every thirty seconds") {
  TokenSchedule schedule(start_time);
  for (int i = 0; i < 3; ++i) {
    SteadyTime const now = schedule.next_fetch();
    schedule.misconfigured(now);
    CHECK(until_fetch(schedule, now) == 30s);
  }
}

TEST_CASE("a refused token is replaced at once, and the next within ten seconds only after them") {
  TokenSchedule schedule(start_time);
  schedule.fetched(start_time, 7200s, 0.0);
  SteadyTime const first = start_time + 100s;
  schedule.dropped(first);
  CHECK(schedule.next_fetch() == first);
  schedule.fetched(first, 7200s, 0.0);
  schedule.dropped(first + 3s);
  CHECK(schedule.next_fetch() == first + 10s);
  schedule.fetched(first + 10s, 7200s, 0.0);
  schedule.dropped(first + 60s);
  CHECK(schedule.next_fetch() == first + 60s);
}

TEST_CASE("a token that WeChat refuses whenever it is used is not fetched more than every ten seconds") {
  TokenSchedule schedule(start_time);
  SteadyTime now = start_time;
  schedule.dropped(now);
  for (int i = 0; i < 20; ++i) {
    SteadyTime const fetched_at = schedule.next_fetch();
    schedule.fetched(fetched_at, 7200s, 0.0);
    now = fetched_at + 100ms;
    schedule.dropped(now);
    CHECK(schedule.next_fetch() == fetched_at + 10s);
  }
}

TEST_CASE("many waiters share one fetch") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  std::vector<Started<std::optional<HeldToken>>> waiters;
  constexpr int waiting = 100;
  waiters.reserve(waiting);
  for (int i = 0; i < waiting; ++i) waiters.push_back(bench.get(3s));
  CHECK_FALSE(waiters.front().done());
  bench.wechat.let_go();
  bench.clock.settle();
  for (auto& waiter : waiters) {
    REQUIRE(waiter.done());
    REQUIRE(waiter.value().has_value());
    CHECK(waiter.value()->token.reveal() == "token-1");
    CHECK(waiter.value()->generation == 1);
  }
  CHECK(bench.wechat.token_requests == 1);
}

TEST_CASE("a held token is handed out without asking WeChat") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  auto waiter = bench.get(0s);
  REQUIRE(waiter.done());
  CHECK(waiter.value().has_value());
  CHECK(bench.wechat.token_requests == 1);
}

TEST_CASE("a waiter leaves at its own deadline, and the fetch goes on") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  auto hasty = bench.get(1s);
  auto patient = bench.get(2500ms);
  bench.clock.advance(999ms);
  CHECK_FALSE(hasty.done());
  bench.clock.advance(1ms);
  REQUIRE(hasty.done());
  CHECK_FALSE(hasty.value().has_value());
  CHECK_FALSE(patient.done());
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(patient.done());
  CHECK(patient.value().has_value());
}

TEST_CASE("a failed fetch answers its waiters at once, and others until the next is due") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_fail();
  bench.run();
  auto waiter = bench.get(3s);
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(waiter.done());
  CHECK_FALSE(waiter.value().has_value());
  auto later = bench.get(3s);
  REQUIRE(later.done());
  CHECK_FALSE(later.value().has_value());
  CHECK_FALSE(bench.keeper.misconfigured());

  bench.will_say(token_body("token-1", 7200));
  bench.clock.advance(1s);
  CHECK(bench.token_now() == "token-1");
  CHECK(bench.wechat.token_requests == 2);
  CHECK(bench.keeper.statistics().failed == 1);
  CHECK(bench.keeper.statistics().fetched == 1);
}

TEST_CASE("a wrong secret is told apart from a failure, until WeChat answers otherwise") {
  Bench bench;
  bench.will_say(R"({"errcode":40125,"errmsg":"invalid appsecret, rid: 66b5fb8f-0-0"})");
  bench.run();
  CHECK(bench.keeper.misconfigured());
  CHECK(bench.keeper.statistics().misconfigured == 1);
  CHECK_FALSE(bench.keeper.statistics().fetched_at.has_value());
  CHECK(bench.token_now() == "none");
  bench.clock.advance(29s);
  CHECK(bench.wechat.token_requests == 1);
  bench.will_say(token_body("token-1", 7200));
  bench.clock.advance(1s);
  CHECK_FALSE(bench.keeper.misconfigured());
  CHECK(bench.token_now() == "token-1");
}

TEST_CASE("a refused token is gone at once and replaced by the next") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.will_say(token_body("token-2", 7200));
  bench.keeper.drop(1);
  CHECK(bench.token_now() == "none");
  CHECK(bench.keeper.statistics().dropped == 1);
  auto waiter = bench.get(3s);
  REQUIRE(waiter.done());
  REQUIRE(waiter.value().has_value());
  CHECK(waiter.value()->token.reveal() == "token-2");
  CHECK(waiter.value()->generation == 2);
}

TEST_CASE("a refusal that arrives late does not drop the token's successor") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.will_say(token_body("token-2", 7200));
  bench.keeper.drop(1);
  bench.clock.settle();
  bench.keeper.drop(1);
  bench.keeper.drop(0);
  bench.keeper.drop(3);
  bench.clock.settle();
  CHECK(bench.token_now() == "token-2");
  CHECK(bench.wechat.token_requests == 2);
}

TEST_CASE("two exchanges that were refused the same token drop it once") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.will_say(token_body("token-2", 7200));
  bench.keeper.drop(1);
  bench.keeper.drop(1);
  bench.clock.settle();
  CHECK(bench.wechat.token_requests == 2);
}

TEST_CASE("a token is used until its refresh has brought the next, but never beyond its end") {
  Bench bench;
  bench.will_say(token_body("token-1", 300));
  bench.run();
  for (int i = 0; i < 20; ++i) bench.will_fail();
  bench.clock.advance(299s);
  CHECK(bench.token_now() == "token-1");
  CHECK(bench.wechat.token_requests > 1);
  bench.clock.advance(1s);
  CHECK(bench.token_now() == "none");
}

TEST_CASE("a token is refreshed by time alone") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.will_say(token_body("token-2", 7200));
  bench.clock.advance(6899s);
  CHECK(bench.token_now() == "token-1");
  bench.clock.advance(1s);
  CHECK(bench.token_now() == "token-2");
}

TEST_CASE("stop ends the keeper, whether it waits or fetches") {
  Bench idle;
  idle.will_say(token_body("token-1", 7200));
  idle.run();
  CHECK_FALSE(idle.running->done());
  idle.keeper.stop();
  idle.clock.settle();
  CHECK(idle.running->done());

  Bench fetching;
  fetching.wechat.hold_answers = true;
  fetching.will_say(token_body("token-1", 7200));
  fetching.run();
  fetching.keeper.stop();
  fetching.wechat.let_go();
  fetching.clock.settle();
  CHECK(fetching.running->done());
}

TEST_CASE("nobody waits for a token once the keeper has stopped") {
  Bench bench;
  bench.will_fail();
  bench.run();
  bench.keeper.stop();
  bench.clock.advance(10s);
  auto waiter = bench.get(3s);
  REQUIRE(waiter.done());
  CHECK_FALSE(waiter.value().has_value());
}

TEST_CASE("neither token nor secret is logged") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.keeper.drop(1);
  bench.will_say(R"({"errcode":40001,"errmsg":"invalid credential token-1 a-secret"})");
  bench.clock.settle();
  REQUIRE(bench.lines.size() >= 3);
  for (std::string const& line : bench.lines) {
    CHECK(line.find("token-1") == std::string::npos);
    CHECK(line.find("a-secret") == std::string::npos);
  }
}

TEST_CASE("a token that was fetched is kept, sealed, and the next start asks for none") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  REQUIRE(bench.store.kept.size() == 1);
  core::StoredToken const stored = bench.store.kept.front();
  CHECK(stored.appid == "wx0123456789abcdef");
  CHECK(stored.expires == bench.clock.wall() + 7200s);
  std::string const sealed(stored.sealed_token.begin(), stored.sealed_token.end());
  CHECK(sealed.find("token-1") == std::string::npos);

  Bench next;
  next.clock.set_wall(bench.clock.wall() + 1000s);
  next.keeper.restore(stored);
  next.run();
  CHECK(next.token_now() == "token-1");
  CHECK(next.clock.steady() - next.keeper.statistics().fetched_at.value() == 1000s);
  CHECK(next.keeper.statistics().expires_at.value() - next.clock.steady() == 6200s);
  CHECK(next.wechat.token_requests == 0);
  next.will_say(token_body("token-2", 7200));
  next.clock.advance(6200s - 300s);  // and it is replaced when its time has come
  CHECK(next.token_now() == "token-2");
}

TEST_CASE("a stored token that is over, not ours, or lives longer than any is not taken") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  core::StoredToken const good = bench.store.kept.front();
  core::StoredToken over = good;
  over.expires = bench.clock.wall();
  core::StoredToken garbled = good;
  garbled.sealed_token.back() ^= 1;
  core::StoredToken endless = good;
  endless.expires = bench.clock.wall() + 48h;
  for (core::StoredToken const& bad : {over, garbled, endless}) {
    Bench next;
    next.clock.set_wall(bench.clock.wall());
    next.keeper.restore(bad);
    CHECK(next.token_now() == "none");
  }
}

TEST_CASE("a token that cannot be kept is used all the same") {
  Bench bench;
  bench.store.accepts = false;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  CHECK(bench.token_now() == "token-1");
}

TEST_CASE("a secret that was put right is tried at once") {
  Bench bench;
  bench.will_say(R"({"errcode":40125,"errmsg":"invalid appsecret"})");
  bench.run();
  CHECK(bench.keeper.misconfigured());
  bench.account.secret = core::AppSecret("the-right-secret");
  bench.will_say(token_body("token-1", 7200));
  bench.keeper.credentials_changed();
  bench.clock.settle();
  CHECK(bench.token_now() == "token-1");
  CHECK(bench.wechat.secret_used == "the-right-secret");
  CHECK_FALSE(bench.keeper.misconfigured());
}

TEST_CASE("a secret that changes while a token is held costs no fetch") {
  Bench bench;
  bench.will_say(token_body("token-1", 7200));
  bench.run();
  bench.keeper.credentials_changed();
  bench.clock.settle();
  CHECK(bench.wechat.token_requests == 1);
  CHECK(bench.token_now() == "token-1");
}
