#include "net/api/push.hpp"

#include <doctest/doctest.h>

#include "net/query.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/push.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";
constexpr std::string_view other_appid = "wxffffffffffffffff";
constexpr std::string_view token = "AAAAA";

struct Stage {
  Stage() { receiver.use(appid, {.token = core::PushToken(std::string(token)), .aes_key = {}}); }

  net::Response send(std::string_view method, std::string const& path, std::string const& query,
                     std::string_view body = {}) {
    net::Request const request{.method = method, .path = path, .query = query, .headers = {}, .body = body};
    if (auto refused = api.admit(request)) return *refused;
    auto started = start(loop, method == "GET" ? api.check_url(request) : api.receive(request));
    clock.settle();
    return std::move(started.value());
  }
  net::Response send(PushOnWire const& push, std::string const& path = "/wechat/push") {
    return send("POST", path, push.query(), push.body);
  }

  asio::io_context loop;
  ManualClock clock{loop};
  core::Log log{[](core::LogLevel, std::string_view) {}, core::LogLevel::info,
                [this] { return clock.wall(); }};
  int heard = 0;
  core::PushReceiver receiver{{.clock = clock,
                               .log = log,
                               .listener = [this](std::string_view, core::PushEvent const&) { ++heard; }}};
  net::PushApi api{receiver};
};

constexpr char official_query[] =
    "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249&timestamp=1714036504"
    "&nonce=1514711492";

PushOnWire alarm() { return plain_push(quota_push_xml(1000, 1000, 1'693'624'245), token); }

}  // namespace

TEST_CASE("WeChat's check of the URL gets its echostr back as plain text") {
  Stage stage;
  net::Response const response = stage.send("GET", "/wechat/push", official_query);
  CHECK(response.status == 200);
  CHECK(response.content_type == "text/plain");
  CHECK(response.body == "4375120948345356249");
}

TEST_CASE("an echostr with escapes comes back as it was meant") {
  Stage stage;
  std::string query = official_query;
  query.replace(query.find("4375120948345356249"), 19, "a%2Bb%3D+c%26");
  CHECK(stage.send("GET", "/wechat/push", query).body == "a+b= c&");
}

TEST_CASE("a check with a wrong signature is forbidden, and echoes nothing") {
  Stage stage;
  for (std::string const& query :
       {std::string(), std::string("echostr=1"), std::string(official_query).replace(10, 1, "0"),
        std::string(official_query) + "&nonce=2", std::string("nonce=2&") + official_query}) {
    net::Response const response = stage.send("GET", "/wechat/push", query);
    bool const first_counts = query.ends_with("&nonce=2");
    CHECK(response.status == (first_counts ? 200 : 403));
    CHECK((response.body.find("4375120948345356249") != std::string::npos) == first_counts);
  }
}

TEST_CASE("a push is answered with success, and so are its retries") {
  Stage stage;
  for (int attempt = 0; attempt < 4; ++attempt) {
    net::Response const response = stage.send(alarm());
    CHECK(response.status == 200);
    CHECK(response.content_type == "text/plain");
    CHECK(response.body == "success");
  }
  CHECK(stage.heard == 1);
}

TEST_CASE("the age of the timestamp is not judged") {
  Stage stage;
  stage.clock.set_wall(stage.clock.wall() + std::chrono::years(10));
  CHECK(stage.send(alarm()).status == 200);
  CHECK(stage.heard == 1);
}

TEST_CASE("a push that is not WeChat's is forbidden, one that cannot be read is a bad request") {
  Stage stage;
  CHECK(stage.send(plain_push(alarm().body, "BBBBB")).status == 403);
  CHECK(stage.send(plain_push("not a message", token)).status == 400);
  CHECK(stage.heard == 0);
}

TEST_CASE("the path may name the mini program, and must where there are several") {
  Stage stage;
  CHECK(stage.send(alarm(), "/wechat/push/" + std::string(appid)).status == 200);
  CHECK(stage.send(alarm(), "/wechat/push/" + std::string(other_appid)).status == 404);
  stage.receiver.use(other_appid, {.token = core::PushToken("BBBBB"), .aes_key = {}});
  CHECK(stage.send(alarm()).status == 404);
  CHECK(stage.send(alarm(), "/wechat/push/" + std::string(appid)).status == 200);
  CHECK(stage.send(alarm(), "/wechat/push/" + std::string(other_appid)).status == 403);
}

TEST_CASE("without a token there is no such place, whatever is asked") {
  Stage stage;
  stage.receiver.use(appid, {});
  for (std::string const path : {"/wechat/push", "/wechat/push/wx0123456789abcdef"}) {
    CHECK(stage.send("GET", path, official_query).status == 404);
    CHECK(stage.send(plain_push(alarm().body, ""), path).status == 404);
  }
}

TEST_CASE("of a query's parameters the first of a name counts, decoded") {
  CHECK(net::query_parameter("a=1&b=2&a=3", "a") == "1");
  CHECK(net::query_parameter("aa=1&a=%41%zz%4", "a") == "A%zz%4");
  CHECK(net::query_parameter("a&b", "a").empty());
  CHECK(net::query_parameter("", "a").empty());
}
