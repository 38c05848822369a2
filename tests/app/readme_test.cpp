#include <doctest/doctest.h>

#include <string>

#include "app/sandbox/test_codes.hpp"
#include "app/settings.hpp"
#include "core/alarm/alarm.hpp"

using namespace onetap::app;

TEST_CASE("the README lists every test code of the sandbox") {
  auto const readme = read_text_file(ONETAP_SOURCE "/README.md");
  REQUIRE(readme);
  for (TestCode const& test_code : test_codes) {
    std::string const row = "| `" + std::string(test_code.code) + "` |";
    CHECK_MESSAGE(readme->find(row) != std::string::npos, row);
  }
}

TEST_CASE("the README lists every alarm") {
  auto const readme = read_text_file(ONETAP_SOURCE "/README.md");
  REQUIRE(readme);
  for (onetap::core::AlarmRule const& rule : onetap::core::alarm_rules()) {
    std::string const row = "| `" + std::string(rule.text) + "` |";
    CHECK_MESSAGE(readme->find(row) != std::string::npos, row);
  }
}
