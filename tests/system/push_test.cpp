#include <doctest/doctest.h>

#include <chrono>
#include <fstream>

#include "tests/support/push.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";

/// A server that WeChat pushes to.
struct PushedServer {
  explicit PushedServer(std::vector<std::string> environment, std::vector<std::string> arguments = {})
      : server(folder, with_appid(std::move(arguments)), std::move(environment)), target(server.target()) {
    // WeChat's figures, of which much is left, are in; it is not asked again for ten seconds.
    server.process().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
  }

  static std::vector<std::string> with_appid(std::vector<std::string> arguments) {
    arguments.emplace_back("--appid=" + std::string(appid));
    arguments.emplace_back("--log-level=debug");
    return arguments;
  }

  app::CallAnswer push(PushOnWire const& push, std::string const& path = "/wechat/push",
                       std::string const& media_type = "text/xml") {
    std::vector<std::pair<std::string, std::string>> headers{
        {"Host", "localhost"}, {"Content-Length", std::to_string(push.body.size())}};
    if (!media_type.empty()) headers.emplace_back("Content-Type", media_type);
    return caller.call(target,
                       {.bytes = app::render_request("POST", path + "?" + push.query(), headers, push.body)});
  }

  app::CallAnswer get(std::string const& path_and_query, std::string const& method = "GET") {
    return caller.call(target,
                       {.bytes = app::render_request(method, path_and_query, {{"Host", "localhost"}}, ""),
                        .has_no_answer_body = method == "HEAD"});
  }

  std::string quota(std::string const& kind) {
    std::vector<std::pair<std::string, std::string>> const headers{
        {"Host", "localhost"},
        {"Referer", "https://servicewechat.com/" + std::string(appid) + "/7/page-frame.html"}};
    return caller
        .call(target, {.bytes = app::render_request("GET", "/phone/quota?kind=" + kind, headers, "")})
        .body;
  }

  TempFolder folder;
  RunningServer server;
  app::Caller caller;
  app::Target target;
};

bool says(std::string const& body, std::string_view text) { return body.find(text) != std::string::npos; }

/// A few seconds ago: older than that, WeChat's figures know better.
std::int64_t some_time_ago_s() {
  auto const now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::floor<std::chrono::seconds>(now).count() - 5;
}

}  // namespace

TEST_CASE("WeChat's 0 % ends the taps at once, a later share above it begins them again") {
  PushedServer wechat({"ONETAP_PUSH_TOKEN=AAAAA"});
  std::int64_t const created_s = some_time_ago_s();
  auto const exhausted = plain_push(quota_push_xml(1000, 1000, created_s), "AAAAA");
  CHECK(wechat.push(plain_push(exhausted.body, "BBBBB")).status == 403);
  CHECK_FALSE(says(wechat.quota("quick"), "exhausted"));

  app::CallAnswer const answer = wechat.push(exhausted);
  CHECK(answer.status == 200);
  CHECK(answer.body == "success");
  CHECK(answer.header("Content-Type") == "text/plain");
  CHECK(wechat.quota("quick") ==
        R"({"kind":"quick","available":false,"reason":"exhausted","level":"exhausted","asOf":)" +
            std::to_string(created_s) + "}");
  CHECK_FALSE(says(wechat.quota("realtime"), "exhausted"));

  CHECK(wechat.push(plain_push(quota_push_json(2000, 1600, created_s + 1), "AAAAA")).status == 200);
  CHECK_FALSE(says(wechat.quota("quick"), "exhausted"));
  CHECK(wechat.push(exhausted).status == 200);
  CHECK_FALSE(says(wechat.quota("quick"), "exhausted"));
  wechat.server.process().signal(SIGTERM);
  CHECK(wechat.server.process().wait() == 0);
  std::string const& log = wechat.server.process().text();
  CHECK(says(log, R"("msg":"quota_exhausted","app":"wx0123456789abcdef","kind":"quick","percent_left":0)"));
  CHECK(says(log, R"("msg":"quota_low","app":"wx0123456789abcdef","kind":"quick","percent_left":20)"));
  CHECK_FALSE(says(log, "AAAAA"));
}

TEST_CASE("the check of the URL, by GET and by HEAD, with the appid and without it") {
  PushedServer wechat({"ONETAP_PUSH_TOKEN=AAAAA"});
  std::string const query =
      "?signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249&timestamp=1714036504"
      "&nonce=1514711492";
  for (std::string const& path : {std::string("/wechat/push"), "/wechat/push/" + std::string(appid)}) {
    CHECK(wechat.get(path + query).body == "4375120948345356249");
    CHECK(wechat.get(path + query, "HEAD").header("Content-Length") == "19");
  }
  CHECK(wechat.get("/wechat/push/wxffffffffffffffff" + query).status == 404);
  CHECK(wechat.get("/wechat/push?signature=x").status == 403);
}

TEST_CASE("with a key pushes must be encrypted, whatever their Content-Type is") {
  std::string const key(official_aes_key);
  PushedServer wechat({"ONETAP_PUSH_TOKEN=AAAAA", "ONETAP_PUSH_AES_KEY=" + key});
  std::string const message = quota_push_json(1000, 1000, some_time_ago_s());
  CHECK(wechat.push(plain_push(message, "AAAAA")).status == 403);
  CHECK(wechat.push(encrypted_push(message, "AAAAA", key, "wxffffffffffffffff")).status == 400);
  CHECK_FALSE(says(wechat.quota("quick"), "exhausted"));
  for (std::string const media_type : {"application/json", "text/xml", "", "text/plain; charset=utf-8"})
    CHECK(wechat.push(encrypted_push(message, "AAAAA", key, appid), "/wechat/push", media_type).status ==
          200);
  CHECK(says(wechat.quota("quick"), "exhausted"));
}

TEST_CASE("without a token there is no such place") {
  PushedServer wechat({});
  app::CallAnswer const answer = wechat.push(plain_push("<xml/>", ""));
  CHECK(answer.status == 404);
  CHECK(says(answer.body, "NOT_FOUND"));
}

TEST_CASE("the push is found under the public URL's path, too, and no limit by address stops it") {
  PushedServer wechat({"ONETAP_PUSH_TOKEN=AAAAA"},
                      {"--public-url=https://api.example.com/wechat", "--rate-ip=1/3600"});
  auto const push = plain_push(quota_push_xml(1000, 900, some_time_ago_s()), "AAAAA");
  for (std::string const path :
       {"/wechat/push", "/wechat/wechat/push", "/wechat/push", "/wechat/wechat/push"})
    CHECK(wechat.push(push, path).status == 200);
}

TEST_CASE("SIGHUP takes a new token and a new key from their files") {
  TempFolder const folder;
  auto const write = [&](std::string const& name, std::string const& text) {
    std::ofstream(folder / name, std::ios::trunc) << text << "\n";
  };
  std::string const key(official_aes_key);
  std::string const new_key = "E" + key.substr(1);
  write("token", "AAAAA");
  write("key", key);
  PushedServer wechat({}, {"--push-token-file=" + (folder / "token").string(),
                           "--push-aes-key-file=" + (folder / "key").string()});
  std::string const message = quota_push_json(1000, 900, some_time_ago_s());
  CHECK(wechat.push(encrypted_push(message, "AAAAA", key, appid)).status == 200);
  write("token", "BBBBB");
  write("key", new_key);
  wechat.server.process().signal(SIGHUP);
  (void)wechat.server.process().await("settings_reloaded", '\n');
  CHECK(wechat.push(encrypted_push(message, "AAAAA", key, appid)).status == 403);
  CHECK(wechat.push(encrypted_push(message, "BBBBB", key, appid)).status == 400);
  CHECK(wechat.push(encrypted_push(message, "BBBBB", new_key, appid)).status == 200);
}
