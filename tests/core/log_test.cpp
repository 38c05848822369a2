#include "core/log.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace onetap::core {
namespace {

template <class Value>
constexpr bool can_be_logged = std::is_constructible_v<Field, std::string_view, Value>;

static_assert(can_be_logged<std::string> && can_be_logged<std::string_view> && can_be_logged<char const*>);
static_assert(can_be_logged<bool> && can_be_logged<int> && can_be_logged<std::size_t> &&
              can_be_logged<double>);
static_assert(!can_be_logged<Code> && !can_be_logged<Code const&> && !can_be_logged<IdempotencyKey>);
static_assert(!can_be_logged<AppSecret> && !can_be_logged<AccessToken> && !can_be_logged<OperatorToken>);
static_assert(!can_be_logged<PhoneNumber> && !can_be_logged<Confidential<PhoneNumberTag>>);
static_assert(!can_be_logged<char> && !can_be_logged<void*>);

struct Written {
  LogLevel level;
  std::string line;
};

/// A log into memory, at 2026-11-22T08:01:02.003Z.
struct Fixture {
  std::vector<Written> written;
  WallTime now = wall_time_of_unix_ms(1795334462003);
  Log log{[this](LogLevel level, std::string_view line) { written.push_back({level, std::string(line)}); },
          LogLevel::info, [this] { return now; }};

  [[nodiscard]] std::string last() const { return written.empty() ? "" : written.back().line; }
};

TEST_CASE_FIXTURE(Fixture,
                  "a line is one JSON object: time, level, message, then the fields in their order") {
  log.info("request", {{"request_id", "01J9"}, {"status", 200}, {"latency_ms", 3.1}, {"replayed", false}});
  CHECK(last() == R"({"ts":"2026-11-22T08:01:02.003Z","level":"info","msg":"request",)"
                  R"("request_id":"01J9","status":200,"latency_ms":3.1,"replayed":false})");
}

TEST_CASE_FIXTURE(Fixture, "a line without fields ends after the message") {
  log.warn("draining");
  CHECK(last() == R"({"ts":"2026-11-22T08:01:02.003Z","level":"warn","msg":"draining"})");
}

TEST_CASE_FIXTURE(Fixture, "times have all their digits") {
  now = wall_time_of_unix_ms(0);
  log.info("x");
  CHECK(last() == R"({"ts":"1970-01-01T00:00:00.000Z","level":"info","msg":"x"})");
  now = wall_time_of_unix_ms(951827696789);
  log.info("x");
  CHECK(last() == R"({"ts":"2000-02-29T12:34:56.789Z","level":"info","msg":"x"})");
}

TEST_CASE_FIXTURE(Fixture, "a log at info writes error, warn and info, not debug") {
  log.error("e");
  log.warn("w");
  log.info("i");
  log.debug("d");
  REQUIRE(written.size() == 3);
  CHECK(written[0].level == LogLevel::error);
  CHECK(written[1].level == LogLevel::warn);
  CHECK(written[2].level == LogLevel::info);
}

TEST_CASE_FIXTURE(Fixture, "the level can change while the log is in use") {
  log.set_level(LogLevel::debug);
  log.debug("d");
  CHECK(written.size() == 1);
  log.set_level(LogLevel::error);
  CHECK(log.writes(LogLevel::error));
  CHECK_FALSE(log.writes(LogLevel::warn));
  log.warn("w");
  log.debug("d");
  CHECK(written.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "the listening line appears at every level") {
  for (LogLevel const level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    written.clear();
    log.set_level(level);
    log.always("listening", {{"listener", "public"}, {"address", "127.0.0.1:8443"}});
    CHECK(last() == R"({"ts":"2026-11-22T08:01:02.003Z","level":"info","msg":"listening",)"
                    R"("listener":"public","address":"127.0.0.1:8443"})");
  }
}

TEST_CASE_FIXTURE(Fixture, "fields gathered at run time are written like the others") {
  std::vector<Field> fields{{"status", 502}};
  fields.emplace_back("errcode", -1);
  log.write(LogLevel::error, "exchange", fields);
  CHECK(last().ends_with(R"("msg":"exchange","status":502,"errcode":-1})"));
  log.write(LogLevel::debug, "exchange", fields);
  CHECK(written.size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a string can't break out of its line") {
  log.info("x", {{"path", "/a\"b\\c\n\r\t\x01\x1f{}"}});
  CHECK(last().ends_with(R"("path":"/a\"b\\c\n\r\t\u0001\u001f{}"})"));
  log.info("a\"b");
  CHECK(last().ends_with(R"("msg":"a\"b"})"));
  log.info("x", {{"na\"me", 1}});
  CHECK(last().ends_with(R"("na\"me":1})"));
  log.info("x", {{"zero", std::string_view("a\0b", 3)}});
  CHECK(last().ends_with(R"("zero":"a\u0000b"})"));
}

TEST_CASE_FIXTURE(Fixture, "valid UTF-8 passes as it is") {
  log.info("x", {{"text", "é 手机号 😀 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF"}});
  CHECK(last().ends_with("\"text\":\"é 手机号 😀 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF\"}"));
}

TEST_CASE_FIXTURE(Fixture, "bytes that are no UTF-8 are replaced") {
  struct Case {
    std::string_view bytes;
    std::size_t replaced;
  };
  for (Case const& one : {Case{"\x80", 1},
                          {"\xFF", 1},
                          {"\xC0\xAF", 2},
                          {"\xC1\xBF", 2},
                          {"\xE2\x82", 2},
                          {"\xE0\x80\x80", 3},
                          {"\xED\xA0\x80", 3},
                          {"\xF0\x80\x80\x80", 4},
                          {"\xF4\x90\x80\x80", 4},
                          {"\xF5\x80\x80\x80", 4},
                          {"\xC3", 1}}) {
    std::string replacement;
    for (std::size_t i = 0; i < one.replaced; ++i) replacement += "\xEF\xBF\xBD";
    log.info("x", {{"text", "a" + std::string(one.bytes) + "z"}});
    CHECK(last().ends_with("\"text\":\"a" + replacement + "z\"}"));
  }
}

TEST_CASE_FIXTURE(Fixture, "numbers are written in full") {
  log.info("x", {{"least", std::numeric_limits<std::int64_t>::min()},
                 {"most", std::numeric_limits<std::uint64_t>::max()},
                 {"size", std::size_t{7}},
                 {"small", std::int16_t{-3}},
                 {"float", 0.5F}});
  CHECK(last().ends_with(
      R"("least":-9223372036854775808,"most":18446744073709551615,"size":7,"small":-3,"float":0.5})"));
}

TEST_CASE_FIXTURE(Fixture, "a number that JSON doesn't have is null") {
  log.info("x", {{"nan", std::numeric_limits<double>::quiet_NaN()},
                 {"inf", std::numeric_limits<double>::infinity()}});
  CHECK(last().ends_with(R"("nan":null,"inf":null})"));
}

TEST_CASE("a level has one name, and no other text is a level") {
  for (LogLevel const level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    CHECK(log_level_from(to_string(level)) == level);
  }
  for (std::string_view const text : {"", "INFO", "warning", "info ", "trace"}) {
    CHECK_FALSE(log_level_from(text).has_value());
  }
}

}  // namespace
}  // namespace onetap::core
