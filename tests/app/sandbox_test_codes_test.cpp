#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <set>

#include "app/sandbox/test_codes.hpp"

using namespace onetap::app;

TEST_CASE("a test code is known as it stands and with anything behind a hyphen") {
  for (TestCode const& line : test_codes) {
    CAPTURE(line.code);
    CHECK(find_test_code(line.code) == &line);
    CHECK(find_test_code(std::string(line.code) + "-x1") == &line);
    CHECK(find_test_code(std::string(line.code) + "x1") != &line);
  }
}

TEST_CASE("other codes are no test codes") {
  for (char const* code : {"", "sandbox", "sandbox-", "sandbox-okay", "SANDBOX-OK", "x-sandbox-ok",
                           "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"}) {
    CAPTURE(code);
    CHECK(find_test_code(code) == nullptr);
  }
}

TEST_CASE("the table has every path that the sandbox promises, each once, described twice") {
  std::set<std::string_view> codes;
  for (TestCode const& line : test_codes) {
    codes.insert(line.code);
    CHECK_FALSE(line.english.empty());
    CHECK_FALSE(line.chinese.empty());
    bool const has_errcode = line.behaviour == TestBehaviour::refuse ||
                             line.behaviour == TestBehaviour::expire_token ||
                             line.behaviour == TestBehaviour::busy_but_used_up;
    CHECK((line.errcode != 0) == has_errcode);
  }
  CHECK(codes ==
        std::set<std::string_view>{"sandbox-ok",           "sandbox-expired",       "sandbox-busy",
                                   "sandbox-slow",         "sandbox-reset",         "sandbox-garbage",
                                   "sandbox-http500",      "sandbox-minute-limit",  "sandbox-daily-limit",
                                   "sandbox-unauthorized", "sandbox-token-expired", "sandbox-foreign",
                                   "sandbox-no-quota",     "sandbox-used",          "sandbox-ip",
                                   "sandbox-abroad",       "sandbox-unknown",       "sandbox-unread",
                                   "sandbox-torn",         "sandbox-cut",           "sandbox-half-json",
                                   "sandbox-drip",         "sandbox-huge",          "sandbox-length-short",
                                   "sandbox-length-long",  "sandbox-length-twice",  "sandbox-bad-chunk",
                                   "sandbox-gzip",         "sandbox-redirect",      "sandbox-http502",
                                   "sandbox-empty",        "sandbox-errcode-twice", "sandbox-nan",
                                   "sandbox-deep",         "sandbox-tls-alert",     "sandbox-no-goodbye",
                                   "sandbox-spent",        "sandbox-errcode-text"});
  CHECK(codes.size() == test_codes.size());
}

TEST_CASE("the table prints one code a line, in either language, and as JSON") {
  std::string const english = test_codes_as_text(false);
  std::string const chinese = test_codes_as_text(true);
  auto const lines = boost::json::parse(test_codes_as_json()).as_array();
  REQUIRE(lines.size() == test_codes.size());
  for (std::size_t i = 0; i < test_codes.size(); ++i) {
    TestCode const& line = test_codes[i];
    CHECK(english.find(std::string(line.code) + " ") != std::string::npos);
    CHECK(english.find(line.english) != std::string::npos);
    CHECK(chinese.find(line.chinese) != std::string::npos);
    CHECK(lines[i].at("code").as_string() == line.code);
    CHECK(lines[i].at("errcode").as_int64() == line.errcode);
    CHECK(lines[i].at("zh").as_string() == line.chinese);
  }
}
