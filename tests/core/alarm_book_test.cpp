#include "core/alarm/alarm_book.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>

#include "core/alarm/quota_conditions.hpp"
#include "core/limits.hpp"

using namespace onetap::core;
using namespace std::chrono_literals;

namespace {

QuotaOwner const owner{.appid = "wx1", .kind = Kind::quick};

/// A book that is looked at as time passes.
struct Office {
  WallTime wall = wall_time_of_unix_ms(1'790'000'000'000);
  SteadyTime steady{100h};
  int ids = 0;
  AlarmBook book{[this](WallTime) { return "id" + std::to_string(++ids); }};
  AlarmObservation observed;

  void pass(milliseconds by) {
    wall += by;
    steady += by;
  }
  void restart() {
    std::vector<Alarm> const on = book.active();
    book = AlarmBook([this](WallTime) { return "id" + std::to_string(++ids); });
    book.load(on, steady);
  }
  /// "raised quota_low 20, ended quota_low 20"
  std::string look() {
    std::string told;
    for (AlarmNews const& news : book.look(observed, wall, steady)) {
      if (news.what == AlarmNews::What::replaced) continue;
      if (!told.empty()) told += ", ";
      told += news.what == AlarmNews::What::raised ? "raised " : "ended ";
      told += std::string(to_string(news.alarm.subject.name)) + " " + std::to_string(news.alarm.step);
    }
    return told;
  }
  /// What is said of packs of so many units, of which so many are left.
  std::string look_at(std::int64_t left, std::int64_t all = 1000, std::string id = "A") {
    UsageSnapshot const snapshot{
        .appid = "wx1",
        .kind = Kind::quick,
        .packs = {{.pkg_id = std::move(id), .all = all, .used = all - left, .ends = wall + 400 * 24h}},
        .as_of = wall};
    Forecast const foreseen = forecast(snapshot, {}, wall);
    observed.conditions = quota_conditions(foreseen, std::nullopt, wall);
    observed.units_given = {{owner, foreseen.units_given}};
    return look();
  }
  std::string look_at_condition(AlarmName name, int step = 0) {
    observed.conditions = {{.subject = {.name = name}, .step = step}};
    return look();
  }
  std::string look_at_nothing() {
    observed.conditions.clear();
    return look();
  }
};

}  // namespace

TEST_CASE("20, 10, 5 and 0 % are told, each once, and the worst alone") {
  Office office;
  CHECK(office.look_at(201).empty());
  CHECK(office.look_at(200) == "raised quota_low 20");
  CHECK(office.look_at(150).empty());
  CHECK(office.look_at(100) == "raised quota_low 10");
  CHECK(office.look_at(50) == "raised quota_low 5");
  CHECK(office.look_at(1).empty());
  CHECK(office.look_at(0) == "raised quota_low 0");
  CHECK(office.look_at(0).empty());
  CHECK(office.book.active().size() == 1);
  CHECK(office.book.active()[0].severity == AlarmSeverity::critical);
  Office jumping;
  CHECK(jumping.look_at(30) == "raised quota_low 5");
}

TEST_CASE("a purchase ends a quota alarm at once, and arms it anew") {
  Office office;
  CHECK(office.look_at(40) == "raised quota_low 5");
  SUBCASE("much was bought") {
    CHECK(office.look_at(3000, 4000) == "ended quota_low 5");
    CHECK(office.look_at(190, 4000) == "raised quota_low 5");
  }
  SUBCASE("little was bought, and little is left all the same") {
    CHECK(office.look_at(90, 1100) == "raised quota_low 10");
    CHECK(office.look_at(40, 1100) == "raised quota_low 5");
  }
  SUBCASE("not by a restart between") {
    office.restart();
    CHECK(office.look_at(40).empty());
    CHECK(office.look_at(3000, 4000) == "ended quota_low 5");
  }
}

TEST_CASE("figures that go up and down a little tell nothing twice") {
  Office office;
  CHECK(office.look_at(200) == "raised quota_low 20");
  CHECK(office.look_at(201).empty());
  office.pass(9min);
  CHECK(office.look_at(200).empty());
  CHECK(office.look_at(201).empty());
  office.pass(10min);
  CHECK(office.look_at(201) == "ended quota_low 20");
  CHECK(office.look_at(200) == "raised quota_low 20");
}

TEST_CASE("a worse step that was told is not told again until the milder one has lasted") {
  Office office;
  CHECK(office.look_at(100) == "raised quota_low 10");
  CHECK(office.look_at(110).empty());
  CHECK(office.look_at(100).empty());
  CHECK(office.look_at(110).empty());
  office.pass(10min);
  CHECK(office.look_at(110).empty());
  CHECK(office.look_at(100) == "raised quota_low 10");
}

TEST_CASE("where WeChat's figures are not known, nothing of theirs is over") {
  Office office;
  CHECK(office.look_at(40) == "raised quota_low 5");
  office.restart();
  office.observed = {};
  for (int i = 0; i < 5; ++i) {
    CHECK(office.look().empty());
    office.pass(1h);
  }
  CHECK(office.look_at(40).empty());
}

TEST_CASE("every alarm is told once, survives a restart, and again only when it had been over for a while") {
  for (AlarmRule const& rule : alarm_rules()) {
    CAPTURE(rule.text);
    Office office;
    office.observed.units_given = {{QuotaOwner{}, 1000}};
    std::string const raised = "raised " + std::string(rule.text) + " 0";
    if (rule.hold > 0s) {
      CHECK(office.look_at_condition(rule.name).empty());
      office.pass(rule.hold - 1ms);
      CHECK(office.look_at_condition(rule.name).empty());
      office.pass(1ms);
    }
    CHECK(office.look_at_condition(rule.name) == raised);
    CHECK(office.look_at_condition(rule.name).empty());
    office.restart();
    CHECK(office.look_at_condition(rule.name).empty());
    office.pass(rule.quiet - 1ms);
    CHECK(office.look_at_nothing().empty());
    CHECK(office.look_at_condition(rule.name).empty());
    office.pass(rule.quiet);
    CHECK(office.look_at_nothing() == "ended " + std::string(rule.text) + " 0");
    CHECK(office.book.active().empty());
    static_cast<void>(office.look_at_condition(rule.name));
    office.pass(rule.hold);
    if (rule.hold > 0s) CHECK(office.look_at_condition(rule.name) == raised);
    CHECK(office.book.active().size() == 1);
  }
}

TEST_CASE("what lasts too short to be told is not told at all") {
  Office office;
  CHECK(office.look_at_condition(AlarmName::token_unavailable).empty());
  office.pass(59s);
  CHECK(office.look_at_nothing().empty());
  CHECK(office.look_at_condition(AlarmName::token_unavailable).empty());
  office.pass(59s);
  CHECK(office.look_at_condition(AlarmName::token_unavailable).empty());
}

TEST_CASE("there is no end of alarms but one") {
  Office office;
  for (std::size_t i = 0; i < 2 * limits::alarms_max; ++i)
    office.observed.conditions.push_back(
        {.subject = {.name = AlarmName::task_failed, .what = std::to_string(i)}});
  static_cast<void>(office.look());
  CHECK(office.book.active().size() == limits::alarms_max);
}

TEST_CASE("each alarm has a name of its own, and says in both languages what to do") {
  std::set<std::string_view> names;
  for (AlarmRule const& rule : alarm_rules()) {
    CAPTURE(rule.text);
    CHECK(names.insert(rule.text).second);
    CHECK(alarm_name_from(rule.text) == rule.name);
    CHECK(rule.chinese.size() > 20);
    CHECK(rule.english.size() > 20);
  }
  CHECK_FALSE(alarm_name_from("quota"));
}

TEST_CASE("15, 7, 3 and 1 days are told: of what is left, and of a pack that ends with units unused") {
  Office office;
  auto const foreseen = [&](double days, double a_day) {
    UsageSnapshot const snapshot{
        .appid = "wx1",
        .kind = Kind::quick,
        .packs = {{.pkg_id = "A",
                   .all = 1000,
                   .used = 0,
                   .ends = office.wall + milliseconds(static_cast<std::int64_t>(days * 86'400'000))}},
        .as_of = office.wall};
    return forecast(snapshot, {.ours_a_day = a_day}, office.wall);
  };
  auto const told = [&](double days, double a_day) {
    std::string text;
    for (AlarmCondition const& each : quota_conditions(foreseen(days, a_day), std::nullopt, office.wall))
      text += std::string(to_string(each.subject.name)) + " " + std::to_string(each.step) + " ";
    return text;
  };
  CHECK(told(400, 1000 / 15.1).empty());
  CHECK(told(400, 1000 / 14.9) == "days_left_low 15 ");
  CHECK(told(400, 1000 / 6.9) == "days_left_low 7 ");
  CHECK(told(400, 1000 / 2.9) == "days_left_low 3 ");
  CHECK(told(400, 1000 / 0.9) == "days_left_low 1 ");
  CHECK(told(15.1, 0).empty());
  CHECK(told(15, 0) == "pack_expires 15 ");
  CHECK(told(7, 0) == "pack_expires 7 ");
  CHECK(told(3, 0) == "pack_expires 3 ");
  CHECK(told(0.5, 0) == "pack_expires 1 ");
  CHECK(told(15, 66.5) == "days_left_low 15 ");  // a few units are no matter
}

TEST_CASE("what WeChat pushes counts before its figures do, for a while") {
  Office office;
  UsageSnapshot const snapshot{.appid = "wx1",
                               .kind = Kind::quick,
                               .packs = {{.pkg_id = "", .all = 1000, .used = 700}},
                               .as_of = office.wall};
  Forecast const foreseen = forecast(snapshot, {}, office.wall);
  auto const conditions = [&](ToldPercent told) { return quota_conditions(foreseen, told, office.wall); };
  CHECK(conditions({.percent_left = 5, .at = office.wall - 1min})[0].step == 5);
  CHECK(conditions({.percent_left = 5, .at = office.wall - limits::usage_lag_max}).empty());
}

TEST_CASE("an account without packs is never low; one whose packs are all over has nothing left") {
  WallTime const now = wall_time_of_unix_ms(1'790'000'000'000);
  UsageSnapshot exempt{.appid = "wx1", .kind = Kind::quick, .packs = {}, .as_of = now};
  CHECK(quota_conditions(forecast(exempt, {.ours_a_day = 100}, now), std::nullopt, now).empty());
  exempt.packs = {{.pkg_id = "A", .status = PackUsage::Status::over, .all = 1000, .used = 3}};
  auto const conditions = quota_conditions(forecast(exempt, {.ours_a_day = 100}, now), std::nullopt, now);
  REQUIRE(conditions.size() == 1);
  CHECK(conditions[0].step == 0);
}

TEST_CASE("a spike and units beyond all packs are told with their figures") {
  WallTime const now = wall_time_of_unix_ms(1'790'000'000'000);
  Spending spending;
  spending.add({.owner = owner, .hour = hour_of(now) - 30, .units = 2});
  CHECK(spending_conditions(owner, spending, true, now).empty());
  spending.add({.owner = owner, .hour = hour_of(now), .units = 80, .beyond_packs = 3});
  auto const conditions = spending_conditions(owner, spending, true, now);
  REQUIRE(conditions.size() == 2);
  CHECK(conditions[0].subject.name == AlarmName::spending_spike);
  CHECK(conditions[0].facts.at("unitsThisHour").as_int64() == 80);
  CHECK(conditions[1].subject.name == AlarmName::units_beyond_packs);
  CHECK(spending_conditions(owner, spending, false, now).size() == 1);  // without packs there is no beyond
}

TEST_CASE("what WeChat pushed counts no more once units were bought") {
  WallTime const now = wall_time_of_unix_ms(1'790'000'000'000);
  QuotaStanding standing({});
  UsageSnapshot snapshot{
      .appid = "wx1", .kind = Kind::quick, .packs = {{.pkg_id = "", .all = 1000, .used = 700}}, .as_of = now};
  standing.observed(snapshot);
  standing.told(Kind::quick, 5, now + 1min);
  CHECK(standing.told_percent(Kind::quick)->percent_left == 5);
  snapshot.as_of = now + 2min;
  standing.observed(snapshot);
  CHECK(standing.told_percent(Kind::quick)->percent_left == 5);
  snapshot.as_of = now + 3min;
  snapshot.packs.push_back({.pkg_id = "A", .all = 1000, .used = 0});
  standing.observed(snapshot);
  CHECK_FALSE(standing.told_percent(Kind::quick));
}
