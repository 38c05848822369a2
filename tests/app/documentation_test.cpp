#include <doctest/doctest.h>

#include <string>

#include "app/sandbox/test_codes.hpp"
#include "app/settings.hpp"
#include "core/alarm/alarm.hpp"

using namespace onetap::app;

TEST_CASE("docs/sandbox.md lists every test code of the sandbox") {
  auto const page = read_text_file(ONETAP_SOURCE "/docs/sandbox.md");
  REQUIRE(page);
  for (TestCode const& test_code : test_codes) {
    std::string const row = "| `" + std::string(test_code.code) + "` |";
    CHECK_MESSAGE(page->find(row) != std::string::npos, row);
  }
}

TEST_CASE("docs/alarms.md and its Chinese page list every alarm") {
  for (std::string const name : {"/docs/alarms.md", "/docs/zh/alarms.md"}) {
    auto const page = read_text_file(ONETAP_SOURCE + name);
    REQUIRE(page);
    for (onetap::core::AlarmRule const& rule : onetap::core::alarm_rules()) {
      std::string const row = "| `" + std::string(rule.text) + "` |";
      CHECK_MESSAGE(page->find(row) != std::string::npos, name << row);
    }
  }
}
