#include <doctest/doctest.h>

#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

TEST_CASE("every scenario holds against a running server, its ledger and WeChat's own journal, twice over") {
  TempFolder const folder;
  RunningServer server(folder);
  for (int round = 0; round < 2; ++round) {
    Process replay(ONETAP_BINARY,
                   {"replay", "--target=" + server.url(), "--ca=" + server.ca_path(),
                    "--db=" + (folder / "ledger.db").string()},
                   {});
    CHECK_MESSAGE(replay.wait() == 0, replay.text());
  }
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_verify") == "0");
}

TEST_CASE("the demo tells its whole story in Chinese and in English") {
  for (char const* language : {"LANG=zh_CN.UTF-8", "LANG=C.UTF-8"}) {
    Process demo(ONETAP_BINARY, {"demo"}, {language});
    CHECK_MESSAGE(demo.wait() == 0, demo.text());
    CHECK_MESSAGE(demo.text().find("10") != std::string::npos, demo.text());
  }
}
