#include "net/api/alarms.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include "net/api/routes.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
namespace admin = core::admin;
namespace json = boost::json;

namespace {

class NoAlarms final : public core::AlarmStore {
 public:
  [[nodiscard]] core::Task<bool> change_alarms(core::AlarmChanges /*changes*/) override { co_return true; }
};

class NoAdmin final : public core::LedgerAdmin {
 public:
  [[nodiscard]] core::Task<admin::Answer> administer(admin::Command /*command*/) override {
    co_return admin::Answer(boost::system::in_place_value, admin::Done{});
  }
};

class NoUpkeep final : public core::LedgerUpkeep {
 public:
  [[nodiscard]] core::Task<admin::Answer> back_up(std::string /*file*/) override {
    co_return admin::Answer(boost::system::in_place_value, admin::Done{});
  }
  [[nodiscard]] core::Task<admin::Answer> rotate_key(std::string /*new_key_file*/) override {
    co_return admin::Answer(boost::system::in_place_value, admin::Done{});
  }
};

struct Stage {
  asio::io_context loop{1};
  ManualClock clock{loop};
  core::Log log{[](core::LogLevel, std::string_view) {}, core::LogLevel::error,
                [] { return core::WallTime{}; }};
  NoAlarms store;
  NoAdmin ledger;
  NoUpkeep upkeep;
  core::AddressTop addresses{{}};
  core::AlarmDesk desk{{.clock = clock, .store = store, .receiver = nullptr, .log = log},
                       [] { return core::AlarmObservation{}; },
                       [](core::WallTime) { return "id"; }};
  std::vector<core::Forecast> forecasts;
  core::Result<std::vector<core::TopUser>, std::string> users{std::vector<core::TopUser>{}};
  int hours_asked = 0;
  net::AlarmsApi alarms{{.clock = clock,
                         .desk = desk,
                         .addresses = addresses,
                         .forecasts = [this] { return forecasts; },
                         .read_top_users = [this](int hours) { return read(hours); }}};
  net::OperatorApi operators{
      ledger, upkeep, clock, log, {.token = core::OperatorToken("sixteen-letters-"), .address = "127.0.0.1"}};
  net::Router router{net::operator_routes(
      {.operators = operators, .unreadiness = [] { return std::vector<std::string>(); }, .alarms = &alarms})};

  core::Task<core::Result<std::vector<core::TopUser>, std::string>> read(int hours) {
    hours_asked = hours;
    co_return users;
  }

  net::Response get(std::string const& path, std::string const& query = "", bool with_token = true) {
    std::vector<net::Header> headers{{.name = "Host", .value = "127.0.0.1:8444"}};
    if (with_token) headers.push_back({.name = "Authorization", .value = "Bearer sixteen-letters-"});
    net::Request request{.method = "GET", .path = path, .query = query, .headers = headers};
    net::Router::Match const match = router.match("GET", path);
    REQUIRE(match.route != nullptr);
    if (auto refused = match.route->admit(request)) return *refused;
    auto handled = start(loop, match.route->handle(request));
    loop.restart();
    loop.run();
    return handled.value();
  }
};

}  // namespace

TEST_CASE("operators alone are told, with their token") {
  Stage stage;
  for (std::string const path : {"/api/forecast", "/api/alarms", "/api/top"}) {
    CHECK(stage.get(path, "", false).status == 401);
    CHECK(stage.get(path).status == 200);
  }
}

TEST_CASE("the forecast has null for what is unknown, or never") {
  Stage stage;
  core::UsageSnapshot const snapshot{.appid = "wx1",
                                     .kind = core::Kind::realtime,
                                     .packs = {{.pkg_id = "", .all = 1000, .used = 900}},
                                     .as_of = stage.clock.wall()};
  stage.forecasts = {core::forecast(snapshot, {}, stage.clock.wall()),
                     core::forecast(snapshot, {.ours_a_day = 50}, stage.clock.wall())};
  json::value const body = json::parse(stage.get("/api/forecast").body);
  json::value const& first = body.at("forecasts").at(0);
  CHECK(first.at("appid").as_string() == "wx1");
  CHECK(first.at("kind").as_string() == "realtime");
  CHECK(first.at("unitsLeft").as_int64() == 100);
  CHECK(first.at("percentLeft").as_int64() == 10);
  CHECK(first.at("daysLeft").is_null());
  CHECK(first.at("unitsADay").at("wechat").is_null());
  CHECK(first.at("packs").at(0).at("endsAt").is_null());
  json::value const& second = body.at("forecasts").at(1);
  CHECK(second.at("daysLeft").as_double() == doctest::Approx(2));
  CHECK(second.at("unitsADay").at("ours").as_double() == 50);
  CHECK(second.at("packs").at(0).at("usedUpAt").as_int64() ==
        core::unix_seconds(stage.clock.wall()) + 2 * 86400);
}

TEST_CASE("alarms that are on, and those told last") {
  Stage stage;
  core::Alarm over{.id = "a", .subject = {.name = core::AlarmName::clock_off}, .raised = stage.clock.wall()};
  over.ended = stage.clock.wall();
  core::Alarm const on{.id = "b",
                       .subject = {.name = core::AlarmName::quota_low, .appid = "wx1"},
                       .raised = stage.clock.wall()};
  stage.desk.load({over, on});
  json::value const body = json::parse(stage.get("/api/alarms").body);
  REQUIRE(body.at("active").as_array().size() == 1);
  CHECK(body.at("active").at(0).at("alarm").as_string() == "quota_low");
  CHECK(body.at("last").as_array().size() == 2);
  CHECK(body.at("last").at(0).at("endedAt").is_int64());
}

TEST_CASE("the top lists have digests of the hours that are asked for, and no others") {
  Stage stage;
  stage.users = std::vector<core::TopUser>{{.appid = "wx1", .user = "00ff00ff00ff00ff", .codes = 3}};
  stage.addresses.counted("10.0.0.1", stage.clock.wall() - 2h);
  json::value const day = json::parse(stage.get("/api/top").body);
  CHECK(stage.hours_asked == 24);
  CHECK(day.at("hours").as_int64() == 24);
  CHECK(day.at("users").at(0).at("user").as_string() == "00ff00ff00ff00ff");
  CHECK(day.at("addresses").as_array().size() == 1);
  json::value const hour = json::parse(stage.get("/api/top", "hours=1").body);
  CHECK(stage.hours_asked == 1);
  CHECK(hour.at("addresses").as_array().empty());
  for (std::string const wrong : {"hours=0", "hours=25", "hours=1x", "hours=-1"})
    CHECK(stage.get("/api/top", wrong).status == 400);
  stage.users = std::string("the disk fails");
  CHECK(stage.get("/api/top").status == 503);
}
