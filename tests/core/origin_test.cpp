#include "core/gate/origin.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <ostream>
#include <string>

namespace onetap::core {
namespace {

constexpr std::string_view ours = "wx0123456789abcdef";
constexpr std::string_view also_ours = "wxfedcba9876543210";

OriginPolicy configured() {
  return {.appids = std::vector<std::string>{std::string(ours), std::string(also_ours)},
          .allow_devtools = true};
}

OriginPolicy sandbox_without_appid() {
  return {.appids = AnyAppid{"wxsandbox000000000"}, .allow_devtools = true};
}

std::string referer_of(std::string_view appid, std::string_view version) {
  return "https://servicewechat.com/" + std::string(appid) + "/" + std::string(version) + "/page-frame.html";
}

std::optional<OriginRefusal> refusal_of(std::optional<std::string_view> referer, OriginPolicy const& policy) {
  auto const result = check_origin(referer, policy);
  if (result) return std::nullopt;
  return result.error();
}

TEST_CASE("a Referer of our mini program names it and where the page runs") {
  struct Case {
    std::string_view version;
    ClientEnv client_env;
  };
  for (Case const& one : {Case{"1", ClientEnv::release},
                          {"42", ClientEnv::release},
                          {"1000", ClientEnv::release},
                          {"99999999999999999999999999", ClientEnv::release},
                          {"0", ClientEnv::preview},
                          {"devtools", ClientEnv::devtools}}) {
    CAPTURE(one.version);
    auto const origin = check_origin(referer_of(ours, one.version), configured());
    REQUIRE(origin.has_value());
    CHECK(origin->appid == ours);
    CHECK(origin->client_env == one.client_env);
  }
}

TEST_CASE("each configured mini program is let in under its own appid") {
  auto const origin = check_origin(referer_of(also_ours, "7"), configured());
  REQUIRE(origin.has_value());
  CHECK(origin->appid == also_ours);
}

TEST_CASE("a request without a Referer is refused") {
  CHECK(refusal_of(std::nullopt, configured()) == OriginRefusal::missing);
  CHECK(refusal_of(std::nullopt, sandbox_without_appid()) == OriginRefusal::missing);
}

TEST_CASE("a Referer of another mini program is refused") {
  for (std::string_view const appid : {"wx0123456789abcdee", "wx0123456789ABCDEF", "wx0123456789abcde",
                                       "wx0123456789abcdef0", "touristappid", "wx"}) {
    CAPTURE(appid);
    CHECK(refusal_of(referer_of(appid, "1"), configured()) == OriginRefusal::foreign_appid);
  }
}

TEST_CASE("a policy that names no mini program lets nobody in") {
  CHECK(refusal_of(referer_of(ours, "1"), OriginPolicy{}) == OriginRefusal::foreign_appid);
}

TEST_CASE("a Referer that is not exactly a page frame's address is refused") {
  for (std::string_view const referer : {
           "",
           "/",
           "servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "//servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "http://servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "HTTPS://servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "https://ServiceWechat.com/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com",
           "https://servicewechat.com/",
           "https://servicewechat.com/page-frame.html",
           "https://servicewechat.com//page-frame.html",
           "https://servicewechat.com///page-frame.html",
           "https://servicewechat.com//1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef//page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1/",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.htm",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.html/",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.html?x=1",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.html#x",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.html ",
           " https://servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1/page-frame.html\n",
           "https://servicewechat.com/wx0123456789abcdef/1/Page-Frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1//page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1/2/page-frame.html",
           "https://servicewechat.com/x/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/-1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/+1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1.0/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/0x1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/１/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/ 1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/Devtools/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/devtools1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/trial/page-frame.html",
           "https://servicewechat.com:443/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com./wx0123456789abcdef/1/page-frame.html",
           "https://user@servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com@evil.example/wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com.evil.example/wx0123456789abcdef/1/page-frame.html",
           "https://evil.example/servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           "https://evil.example/?https://servicewechat.com/wx0123456789abcdef/1/page-frame.html",
           R"(https://servicewechat.com\wx0123456789abcdef\1\page-frame.html)",
           "https://servicewechat.com/wx0123456789abcdef%2F1/page-frame.html",
           "https://servicewechat.com/%77x0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com/../wx0123456789abcdef/1/page-frame.html",
           "https://servicewechat.com/wx0123456789abcdef/1/../1/page-frame.html",
       }) {
    CAPTURE(referer);
    CHECK(refusal_of(referer, configured()) == OriginRefusal::malformed);
    CHECK(refusal_of(referer, sandbox_without_appid()) == OriginRefusal::malformed);
  }
}

TEST_CASE("a zero byte doesn't end a Referer") {
  std::string referer = referer_of(ours, "1");
  referer.push_back('\0');
  CHECK(refusal_of(referer, configured()) == OriginRefusal::malformed);
  CHECK(refusal_of(referer_of(ours, std::string_view("1\0", 2)), configured()) == OriginRefusal::malformed);
}

TEST_CASE("the developer tools are let in by configuration only") {
  OriginPolicy policy = configured();
  policy.allow_devtools = false;
  CHECK(refusal_of(referer_of(ours, "devtools"), policy) == OriginRefusal::devtools_refused);
  CHECK_FALSE(refusal_of(referer_of(ours, "0"), policy).has_value());
  CHECK_FALSE(refusal_of(referer_of(ours, "3"), policy).has_value());
  CHECK(refusal_of(referer_of("wx0123456789abcdee", "devtools"), policy) == OriginRefusal::foreign_appid);
}

TEST_CASE("the sandbox without APPID takes any appid of WeChat's form and the tourist's for its own") {
  for (std::string_view const appid : {"wx0123456789abcdef", "wx0000000000000000", "touristappid"}) {
    CAPTURE(appid);
    auto const origin = check_origin(referer_of(appid, "devtools"), sandbox_without_appid());
    REQUIRE(origin.has_value());
    CHECK(origin->appid == "wxsandbox000000000");
  }
}

TEST_CASE("the sandbox without APPID refuses what no mini program is called") {
  for (std::string_view const appid :
       {"wx0123456789abcde", "wx0123456789abcdef0", "wx0123456789ABCDEF", "wx0123456789abcdeg",
        "wy0123456789abcdef", "0123456789abcdef", "TouristAppid", "touristappid1", "tourist"}) {
    CAPTURE(appid);
    CHECK(refusal_of(referer_of(appid, "1"), sandbox_without_appid()) == OriginRefusal::foreign_appid);
  }
}

TEST_CASE("served are the mini programs that were named, and in the sandbox without APPID its own") {
  AllowedAppids const one = std::vector<std::string>{"wx0123456789abcdef"};
  AllowedAppids const two = std::vector<std::string>{"wx0123456789abcdef", "wxfedcba9876543210"};
  AllowedAppids const any = AnyAppid{"wxsandbox000000000"};
  CHECK(is_served("wx0123456789abcdef", one));
  CHECK_FALSE(is_served("wxfedcba9876543210", one));
  CHECK(is_served("wxfedcba9876543210", two));
  CHECK(is_served("wxsandbox000000000", any));
  CHECK_FALSE(is_served("wx0123456789abcdef", any));
  CHECK(only_appid(one) == "wx0123456789abcdef");
  CHECK(only_appid(two).empty());
  CHECK(only_appid(any) == "wxsandbox000000000");
}

TEST_CASE("a policy can name the tourist's appid") {
  OriginPolicy const policy{.appids = std::vector<std::string>{"touristappid"}, .allow_devtools = true};
  CHECK_FALSE(refusal_of(referer_of("touristappid", "0"), policy).has_value());
}

}  // namespace
TEST_CASE("the sandbox takes its own appid, which is none of WeChat's") {
  auto const origin =
      check_origin("https://servicewechat.com/wxsandbox000000000/1/page-frame.html", sandbox_without_appid());
  REQUIRE(origin.has_value());
  CHECK(origin->appid == "wxsandbox000000000");
}

}  // namespace onetap::core
