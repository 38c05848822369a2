#include "core/alarm/alarm_desk.hpp"

#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <string>
#include <vector>

#include "core/alarm/alarm_message.hpp"
#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

core::Task<bool> finish(core::Task<> task) {
  co_await std::move(task);
  co_return true;
}

class MemoryAlarms final : public AlarmStore {
 public:
  bool accepts = true;
  std::vector<AlarmChanges> taken;

  [[nodiscard]] Task<bool> change_alarms(AlarmChanges changes) override {
    if (accepts) taken.push_back(std::move(changes));
    co_return accepts;
  }
};

class NotingReceiver final : public AlarmReceiver {
 public:
  std::vector<std::string> told;
  void tell(AlarmNews const& news) override {
    told.push_back((news.what == AlarmNews::What::raised ? "raised " : "ended ") + news.alarm.id);
  }
};

struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::info,
          [this] { return clock.wall(); }};
  MemoryAlarms store;
  NotingReceiver receiver;
  AlarmObservation observed;
  int ids = 0;
  AlarmDesk desk{{.clock = clock, .store = store, .receiver = &receiver, .log = log},
                 [this] { return observed; },
                 [this](WallTime) { return "id" + std::to_string(++ids); }};
  std::optional<Started<bool>> running;

  Bench() = default;
  Bench(Bench const&) = delete;
  Bench& operator=(Bench const&) = delete;
  ~Bench() {
    desk.stop();
    clock.advance(1min);
  }
  void run() {
    running.emplace(start(loop, finish(desk.run())));
    clock.settle();
  }
  void put(AlarmName name) { observed.conditions = {{.subject = {.name = name, .appid = "wx1"}}}; }
};

Alarm alarm_of(std::string id, WallTime raised) {
  return {.id = std::move(id), .subject = {.name = AlarmName::clock_off}, .raised = raised};
}

}  // namespace

TEST_CASE("what is news goes into the ledger, the log and to the receiver, and so does its end") {
  Bench bench;
  bench.put(AlarmName::calls_stopped);
  bench.run();
  REQUIRE(bench.store.taken.size() == 1);
  CHECK(bench.store.taken[0].raised[0].id == "id1");
  CHECK(bench.receiver.told == std::vector<std::string>{"raised id1"});
  REQUIRE(bench.lines.size() == 1);
  CHECK(bench.lines[0].find(R"("level":"error","msg":"alarm","alarm":"calls_stopped")") != std::string::npos);
  CHECK(bench.desk.active().size() == 1);
  bench.clock.advance(1h);
  CHECK(bench.store.taken.size() == 1);
  bench.observed = {};
  bench.clock.advance(11min);
  REQUIRE(bench.store.taken.size() == 2);
  CHECK(bench.store.taken[1].ended[0].id == "id1");
  CHECK(bench.receiver.told.back() == "ended id1");
  CHECK(bench.lines.back().find(R"("msg":"alarm_ended")") != std::string::npos);
  CHECK(bench.desk.active().empty());
  CHECK(bench.desk.told_last().back().ended);
}

TEST_CASE("what happens once is told at once, and not again while it goes on happening") {
  Bench bench;
  bench.run();
  for (int i = 0; i < 3; ++i) {
    bench.desk.happened({.name = AlarmName::errcode_unknown, .appid = "wx1"}, {{"errcode", 7}});
    bench.clock.settle();
  }
  CHECK(bench.receiver.told == std::vector<std::string>{"raised id1"});
  CHECK(bench.store.taken[0].raised[0].facts.at("errcode").as_int64() == 7);
  bench.clock.advance(23h);
  CHECK(bench.receiver.told.size() == 1);
  bench.clock.advance(2h);
  CHECK(bench.receiver.told.back() == "ended id1");
}

TEST_CASE("a ledger that cannot be written keeps nothing from being told, and learns of it later") {
  Bench bench;
  bench.store.accepts = false;
  bench.put(AlarmName::calls_stopped);
  bench.run();
  CHECK(bench.receiver.told == std::vector<std::string>{"raised id1"});
  bench.desk.was_sent("id1");
  bench.store.accepts = true;
  bench.clock.advance(limits::alarm_rhythm);
  REQUIRE(bench.store.taken.size() == 1);
  CHECK(bench.store.taken[0].raised[0].id == "id1");
  CHECK(bench.store.taken[0].sent[0].id == "id1");
  bench.clock.advance(1min);
  CHECK(bench.store.taken.size() == 1);
}

TEST_CASE("a restart tells the receiver only what did not reach it, and that for a day") {
  Bench bench;
  Alarm sent = alarm_of("sent", bench.clock.wall() - 1h);
  sent.sent = bench.clock.wall();
  sent.subject.what = "a";
  Alarm old = alarm_of("old", bench.clock.wall() - limits::alarm_resent_for);
  old.subject.what = "b";
  Alarm over = alarm_of("over", bench.clock.wall() - 1h);
  over.ended = bench.clock.wall();
  Alarm unsent = alarm_of("unsent", bench.clock.wall() - 1h);
  bench.desk.load({over, old, sent, unsent});
  CHECK(bench.receiver.told == std::vector<std::string>{"raised unsent"});
  CHECK(bench.desk.active().size() == 3);
  CHECK(bench.desk.told_last().size() == 4);
  bench.observed.conditions = {{.subject = {.name = AlarmName::clock_off}}};
  bench.run();
  CHECK(bench.receiver.told.size() == 1);
}

TEST_CASE("only the last alarms are held in memory") {
  Bench bench;
  std::vector<Alarm> many;
  for (std::size_t i = 0; i < 3 * limits::alarms_remembered; ++i) {
    many.push_back(alarm_of(std::to_string(i), bench.clock.wall()));
    many.back().ended = bench.clock.wall();
  }
  bench.desk.load(many);
  CHECK(bench.desk.told_last().size() == limits::alarms_remembered);
  CHECK(bench.desk.told_last().back().id == many.back().id);
}

TEST_CASE("the webhook's body says what it is about, and what to do, in both languages") {
  AlarmNews news{.what = AlarmNews::What::raised,
                 .alarm = {.id = "01J",
                           .subject = {.name = AlarmName::quota_low, .appid = "wx1", .kind = "quick"},
                           .step = 5,
                           .facts = {{"unitsLeft", 42}},
                           .raised = wall_time_of_unix_ms(1'790'000'000'999)}};
  json::value const body = json::parse(webhook_body(news));
  CHECK(body.at("event").as_string() == "raised");
  CHECK(body.at("id").as_string() == "01J");
  CHECK(body.at("alarm").as_string() == "quota_low");
  CHECK(body.at("severity").as_string() == "warning");
  CHECK(body.at("appid").as_string() == "wx1");
  CHECK(body.at("step").as_int64() == 5);
  CHECK(body.at("facts").at("unitsLeft").as_int64() == 42);
  CHECK(body.at("raisedAt").as_int64() == 1'790'000'000);
  CHECK(body.at("endedAt").is_null());
  CHECK(body.at("en").as_string() == rule_of(AlarmName::quota_low).english);
  CHECK_FALSE(body.as_object().contains("sentAt"));
}

// printf '1790000000.{"a":1}' | openssl dgst -sha256 -hmac sixteen-letters-
TEST_CASE("the signature is HMAC-SHA256 over time and body") {
  CHECK(webhook_signature("sixteen-letters-", wall_time_of_unix_ms(1'790'000'000'123), R"({"a":1})") ==
        "t=1790000000,v1=8b88a54e7c51506b7e7122eae6731eb10557fba14b4ef3800dcd4bbb381c7413");
}

TEST_CASE("a robot's message names alarms in Chinese, without markup of anybody else's, and is cut") {
  AlarmNews news{.what = AlarmNews::What::raised,
                 .alarm = {.id = "01J",
                           .subject = {.name = AlarmName::pack_expires, .appid = "wx1", .kind = "quick"},
                           .facts = {{"pkgId", "<font color=\"info\">\nno*"}, {"unitsUnused", 7}}}};
  json::value const one = json::parse(wecom_body(std::span(&news, 1)));
  CHECK(one.at("msgtype").as_string() == "markdown");
  std::string const text(one.at("markdown").at("content").as_string());
  CHECK(text.find("**pack_expires** wx1 quick\n") != std::string::npos);
  CHECK(text.find(rule_of(AlarmName::pack_expires).chinese) != std::string::npos);
  CHECK(text.find("> unitsUnused: 7\n") != std::string::npos);
  CHECK(text.find("<font color=\"info\">") == std::string::npos);
  std::vector<AlarmNews> const many(100, news);
  std::string const cut(json::parse(wecom_body(many)).at("markdown").at("content").as_string());
  CHECK(cut.size() <= limits::wecom_text_bytes_max);
  CHECK(cut.find("另有 ") != std::string::npos);
  news.what = AlarmNews::What::ended;
  CHECK(wecom_body(std::span(&news, 1)).find("已恢复") != std::string::npos);
}
