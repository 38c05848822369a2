#include "app/sandbox/sandbox_page.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "core/crypto/digest.hpp"
#include "core/log.hpp"
#include "core/push/push_receiver.hpp"
#include "net/api/push.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace json = boost::json;

namespace {

/// The page beside a public listener that notes what reaches it.
class Stage {
 public:
  net::Response ask(std::string_view method, std::string_view path, json::object const& body = {}) {
    std::string const text = json::serialize(body);
    net::Request request{.method = method, .target = path, .path = path};
    request.body = text;
    request.request_id = "r1";
    for (net::Route const& route : routes_) {
      if (route.method == method && route.path == path) return finished(route.handle(request));
    }
    FAIL("no such route");
    return {};
  }
  json::object answer(std::string_view method, std::string_view path, json::object const& body = {}) {
    net::Response const response = ask(method, path, body);
    REQUIRE(response.status == 200);
    return json::parse(response.body).as_object();
  }

  app::WechatState wechat{{}, 1};
  std::string arrived;  // at the public listener: fields and body
  bool is_refused = false;
  std::vector<core::QuotaAlarm> heard;  // by who receives WeChat's pushes for wxdemo

  void expect_pushes() { receiver_.use("wxdemo", {.token = core::PushToken("AAAAA"), .aes_key = {}}); }

 private:
  [[nodiscard]] net::Router public_listener() {
    auto const refuse_all = [](net::Refusal /*refusal*/, std::string_view /*allowed*/,
                               net::Request const& /*request*/) { return net::Response{.status = 404}; };
    auto const consume = [this](net::Request const& request) -> core::Task<net::Response> {
      arrived = std::string(request.header("Referer").value_or("")) + " " +
                std::string(request.header("Idempotency-Key").value_or("")) + " " + std::string(request.body);
      co_return net::Response{.headers = {{"Idempotent-Replayed", "true"}}, .body = R"({"phoneNumber":"1"})"};
    };
    auto const admit = [this](net::Request const& /*request*/) {
      return is_refused ? std::optional(net::Response{.status = 429, .body = R"({"code":"RATE_LIMITED"})"})
                        : std::nullopt;
    };
    return {{{.method = "POST",
              .path = "/phone/consume",
              .body = net::Body::json,
              .handle = consume,
              .admit = admit},
             {.method = "POST",
              .path = "/wechat/push/{appid}",
              .body = net::Body::any,
              .handle = [this](net::Request const& request) { return pushes_.receive(request); },
              .admit = [this](net::Request const& request) { return pushes_.admit(request); }}},
            refuse_all};
  }

  net::Response finished(core::Task<net::Response> task) {
    auto started = start(loop_, std::move(task));
    loop_.restart();
    loop_.run();
    return std::move(started.value());
  }

  asio::io_context loop_{1};
  ManualClock clock_{loop_};
  core::Log log_{[](core::LogLevel, std::string_view) {}, core::LogLevel::error,
                 [this] { return clock_.wall(); }};
  core::PushReceiver receiver_{{.clock = clock_,
                                .log = log_,
                                .listener = [this](std::string_view appid, core::PushEvent const& event) {
                                  auto const* const alarm = std::get_if<core::QuotaAlarm>(&event);
                                  if (alarm != nullptr && appid == "wxdemo") heard.push_back(*alarm);
                                }}};
  net::PushApi pushes_{receiver_};
  app::SandboxPage page_{{.clock = clock_,
                          .wechat = wechat,
                          .pages = public_listener(),
                          .push = {.token = core::PushToken("AAAAA"), .aes_key = {}}},
                         "wxdemo"};
  net::Admission anybody_ = [](net::Request const& /*request*/) { return std::nullopt; };
  std::vector<net::Route> routes_ = page_.routes(anybody_, anybody_);
};

}  // namespace

TEST_CASE("a tap on the drawn phone yields a code of the chosen path") {
  Stage stage;
  std::string const code(
      stage.answer("POST", "/sandbox/tap", {{"testCode", "sandbox-slow"}}).at("code").as_string());
  CHECK(app::find_test_code(code)->code == "sandbox-slow");
  CHECK(stage.ask("POST", "/sandbox/tap", {{"testCode", "sandbox-nothing"}}).status == 400);
}

TEST_CASE("the code is presented as a mini program's page does, for the caller that is named") {
  Stage stage;
  json::object const answer =
      stage.answer("POST", "/sandbox/present", {{"code", "sandbox-ok-7"}, {"caller", "page-1234567890ab"}});
  CHECK(stage.arrived ==
        "https://servicewechat.com/wxdemo/devtools/page-frame.html page-1234567890ab "
        "{\"code\":\"sandbox-ok-7\"}");
  json::object const& response = answer.at("response").as_object();
  CHECK(response.at("status") == 200);
  CHECK(response.at("headers").at("Idempotent-Replayed") == "true");
  CHECK(response.at("body").at("phoneNumber") == "1");
  CHECK(answer.at("wechat").as_array().empty());
}

TEST_CASE("what the public listener refuses at the door is shown as well") {
  Stage stage;
  stage.is_refused = true;
  json::object const answer =
      stage.answer("POST", "/sandbox/present", {{"code", "sandbox-ok-7"}, {"caller", "page-1234567890ab"}});
  CHECK(answer.at("response").at("status") == 429);
  CHECK(stage.arrived.empty());
}

TEST_CASE("of WeChat's calls those with this code are shown") {
  Stage stage;
  std::string const ours = R"({"code":"sandbox-ok-7"})";
  std::string const others = R"({"code":"sandbox-ok-8"})";
  for (std::string const& body : {ours, others}) {
    static_cast<void>(stage.wechat.answer({.method = "POST",
                                           .path = app::phone_number_path,
                                           .query = "access_token=t",
                                           .body = body,
                                           .has_content_length = true},
                                          {}));
  }
  json::object const answer =
      stage.answer("POST", "/sandbox/present", {{"code", "sandbox-ok-7"}, {"caller", "page-1234567890ab"}});
  json::array const& calls = answer.at("wechat").as_array();
  REQUIRE(calls.size() == 1);
  CHECK(calls[0].at("codeDigest") ==
        json::string(core::crypto::to_hex(core::crypto::sha256("sandbox-ok-7"))));
}

TEST_CASE("WeChat pushes how much is left of its packs, as the receiver of its pushes takes it") {
  Stage stage;
  stage.expect_pushes();
  stage.wechat.charges().set_packs(core::Kind::realtime, {{.pkg_id = "ZY1", .all = 200, .used = 190}});
  json::object const answer = stage.answer("POST", "/sandbox/push", {{"kind", "realtime"}});
  CHECK(answer.at("response").at("body") == "success");
  REQUIRE(stage.heard.size() == 1);
  CHECK(stage.heard[0].kind == core::Kind::realtime);
  CHECK(stage.heard[0].units_left == 10);
  CHECK(stage.heard[0].percent_left() == 5);
}

TEST_CASE("the page and its files come with a policy that lets nothing else in") {
  Stage stage;
  for (std::string_view const path : {"/sandbox", "/sandbox/page.css", "/sandbox/page.js"}) {
    net::Response const response = stage.ask("GET", path);
    CHECK(response.status == 200);
    REQUIRE_FALSE(response.headers.empty());
    CHECK(response.headers.front().first == "Content-Security-Policy");
    CHECK(response.headers.front().second.starts_with("default-src 'none'"));
    CHECK_FALSE(response.body.empty());
  }
  CHECK(stage.ask("GET", "/sandbox/page.js").content_type == "text/javascript; charset=utf-8");
}
