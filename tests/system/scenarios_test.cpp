#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// A server with a ledger of its own, against which these scenarios hold, time and again.
void check_scenarios(std::vector<std::string> const& files, int rounds) {
  TempFolder const folder;
  RunningServer server(folder);
  std::vector<std::string> arguments{"replay", "--target=" + server.url(), "--ca=" + server.ca_path(),
                                     "--db=" + (folder / "ledger.db").string()};
  arguments.insert(arguments.end(), files.begin(), files.end());
  for (int round = 0; round < rounds; ++round) {
    Process replay(ONETAP_BINARY, arguments, {});
    CHECK_MESSAGE(replay.wait() == 0, replay.text());
  }
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_verify") == "0");
}

/// After these a server sends nothing for up to a minute.
bool closes_the_line(std::filesystem::path const& file) {
  return file.filename().string().starts_with("wechat-limit-");
}

}  // namespace

TEST_CASE("every scenario holds against a running server, its ledger and WeChat's own journal, twice over") {
  std::vector<std::string> files;
  for (auto const& entry : std::filesystem::directory_iterator(ONETAP_SOURCE "/scripts/scenarios")) {
    if (closes_the_line(entry.path())) {
      check_scenarios({entry.path().string()}, 1);
    } else {
      files.push_back(entry.path().string());
    }
  }
  std::ranges::sort(files);
  REQUIRE(files.size() > 20);
  check_scenarios(files, 2);
}

TEST_CASE("the demo tells its whole story in Chinese and in English") {
  for (char const* language : {"LANG=zh_CN.UTF-8", "LANG=C.UTF-8"}) {
    Process demo(ONETAP_BINARY, {"demo"}, {language});
    CHECK_MESSAGE(demo.wait() == 0, demo.text());
    CHECK_MESSAGE(demo.text().find("10") != std::string::npos, demo.text());
  }
}
