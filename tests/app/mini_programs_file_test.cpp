#include "app/mini_programs_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace onetap::app;
using onetap::core::Result;

namespace {

MiniProgramSettings const usual{.appid = {},
                                .secret = {},
                                .price_quick_micro_yuan = 30'000,
                                .price_realtime_micro_yuan = 40'000,
                                .token_file_path = {},
                                .push = {.token = onetap::core::PushToken("UsualToken"),
                                         .aes_key = onetap::core::PushAesKey(std::string(43, 'a'))}};

Result<std::string, std::string> read_file(std::string const& path) {
  if (path == "/secret") return {boost::system::in_place_value, "0123456789abcdef0123456789abcdef\n"};
  if (path == "/push-token") return {boost::system::in_place_value, "OwnToken\n"};
  if (path == "/push-key")
    return {boost::system::in_place_value, "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\n"};
  return {boost::system::in_place_error, "No such file or directory"};
}

Result<std::vector<MiniProgramSettings>, std::vector<std::string>> read(std::string_view text) {
  return read_mini_programs(text, usual, read_file);
}

bool complains(std::string_view text, std::string_view of) {
  auto const apps = read(text);
  if (apps) return false;
  return std::ranges::any_of(apps.error(), [of](std::string const& line) {
    return line.starts_with("ONETAP_APPS") && line.find(of) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("several mini programs are read, each with what differs for it") {
  auto const apps = read(R"({"apps":[{"appid":"wx1","secretFile":"/secret"},
    {"appid":"wx2","secretFile":"/secret","priceQuick":"0.02","priceRealtime":"0.05","tokenFile":"/run/t"}]})");
  REQUIRE(apps.has_value());
  REQUIRE(apps->size() == 2);
  CHECK(apps->front().appid == "wx1");
  CHECK(apps->front().secret.reveal() == "0123456789abcdef0123456789abcdef");
  CHECK(apps->front().secret_file_path == "/secret");
  CHECK(apps->front().price_quick_micro_yuan == 30'000);
  CHECK(apps->back().price_quick_micro_yuan == 20'000);
  CHECK(apps->back().price_realtime_micro_yuan == 50'000);
  CHECK(apps->back().token_file_path == "/run/t");
}

TEST_CASE("each fault of the file is told with its place") {
  CHECK(complains("", "must be JSON"));
  CHECK(complains("[]", "must be JSON"));
  CHECK(complains(R"({"apps":[]})", "must be JSON"));
  CHECK(complains(R"({"apps":[1]})", "apps[0]"));
  CHECK(complains(R"({"apps":[{"secretFile":"/secret"}]})", "apps[0].appid: is missing"));
  CHECK(complains(R"({"apps":[{"appid":1,"secretFile":"/secret"}]})", "apps[0].appid: must be a text"));
  CHECK(complains(R"({"apps":[{"appid":"w x","secretFile":"/secret"}]})", "is not an appid"));
  CHECK(complains(R"({"apps":[{"appid":"wx1"}]})", "secretFile: is missing"));
  CHECK(complains(R"({"apps":[{"appid":"wx1","secretFile":"/none"}]})", "cannot read /none"));
  CHECK(complains(R"({"apps":[{"appid":"wx1","secretFile":"/secret","priceQuick":"free"}]})", "priceQuick"));
  CHECK(complains(R"({"apps":[{"appid":"wx1","secretFile":"/secret","price":"1"}]})", "no such member"));
  CHECK(
      complains(R"({"apps":[{"appid":"wx1","secretFile":"/secret"},{"appid":"wx1","secretFile":"/secret"}]})",
                "apps[1].appid: wx1 comes twice"));
}

TEST_CASE("all faults of a file are told at once") {
  auto const apps = read(R"({"apps":[{"appid":"w x"},{"appid":"wx2","secretFile":"/none"}]})");
  REQUIRE_FALSE(apps.has_value());
  CHECK(apps.error().size() == 3);
}

TEST_CASE("an app has the usual push, or one of its own: then nothing of the usual one") {
  auto const apps = read(R"({"apps":[{"appid":"wx1","secretFile":"/secret"},
    {"appid":"wx2","secretFile":"/secret","pushTokenFile":"/push-token"},
    {"appid":"wx3","secretFile":"/secret","pushTokenFile":"/push-token","pushAesKeyFile":"/push-key"}]})");
  REQUIRE(apps.has_value());
  CHECK((*apps)[0].push.token.reveal() == "UsualToken");
  CHECK((*apps)[0].push.aes_key.reveal() == std::string(43, 'a'));
  CHECK((*apps)[1].push.token.reveal() == "OwnToken");
  CHECK((*apps)[1].push.aes_key.empty());
  CHECK((*apps)[2].push.aes_key.reveal() == "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
}

TEST_CASE("a push secret that cannot be used is told with its place, and not repeated") {
  auto const with = [](std::string const& member) {
    return R"({"apps":[{"appid":"wx1","secretFile":"/secret",)" + member + "}]}";
  };
  CHECK(complains(with(R"("pushTokenFile":"/none")"), "apps[0].pushTokenFile: cannot read /none"));
  CHECK(complains(with(R"("pushTokenFile":"/push-key")"), "apps[0].pushTokenFile: is not 3 to 32"));
  CHECK(complains(with(R"("pushAesKeyFile":"/push-token")"), "apps[0].pushAesKeyFile: is not 43"));
  CHECK_FALSE(complains(with(R"("pushAesKeyFile":"/push-token")"), "OwnToken"));
}
