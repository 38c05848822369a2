#include "app/scenario/scenario.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "app/sandbox/test_codes.hpp"
#include "app/scenario/page.hpp"
#include "app/scenario/placeholders.hpp"
#include "app/scenario/runner.hpp"
#include "app/settings.hpp"

using namespace onetap::app;
namespace core = onetap::core;

namespace {

std::string with_steps(std::string const& steps) {
  return R"({"title": {"en": "a", "zh": "b"}, "steps": [)" + steps + "]}";
}

std::string fault_of(std::string const& text) {
  auto const parsed = parse_scenario(text);
  return parsed ? std::string("none") : parsed.error();
}

std::string fault_of_step(std::string const& step) { return fault_of(with_steps(step)); }

std::optional<std::string> no_values(std::string_view /*name*/) { return std::nullopt; }

CallAnswer answer_with(int status, std::string body) {
  return {.failure = {}, .status = status, .headers = {}, .body = std::move(body)};
}

}  // namespace

TEST_CASE("a scenario is read with its defaults") {
  auto const parsed = parse_scenario(with_steps(R"({"request": {}, "expect": {"status": 200}})"));
  REQUIRE(parsed.has_value());
  CHECK(parsed->title(core::Language::english) == "a");
  CHECK(parsed->title(core::Language::chinese) == "b");
  REQUIRE(parsed->groups.size() == 1);
  Step const& step = parsed->groups.front().steps.front();
  CHECK(step.name == "step-1");
  CHECK(step.times == 1);
  CHECK(step.request.method == "POST");
  CHECK(step.request.path == "/phone/consume");
  CHECK(step.expect.status == 200);
}

TEST_CASE("everything a step may say is read") {
  auto const parsed = parse_scenario(with_steps(R"(
    {"together": [{"name": "a", "times": 3,
      "request": {"method": "PUT", "path": "/x", "headers": {"A": null, "B": "1", "C": ["2", "3"]},
                  "json": {"code": "${run}"}, "patienceMs": 5, "obeyRetryAfter": true},
      "expect": {"noAnswer": true, "problem": "P", "page": "好",
                 "fields": {"a.b": 1, "c": {"present": false}}, "headers": {"D": "4"},
                 "ledger": {"state": "ok", "errcode": null},
                 "wechat": {"code": "c", "calls": 2, "numbers": 1, "errcodes": [42001, null]}}}],
     "outcomes": {"200": 1, "no request": 2}},
    {"name": "b", "page": {"errMsg": "no", "errno": 7},
     "expect": {"ledger": {"step": "a", "attempts": 1}, "wechat": "unchanged"}})"));
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->groups.size() == 2);
  StepGroup const& group = parsed->groups[0];
  CHECK(group.outcomes.size() == 2);
  Step const& step = group.steps[0];
  CHECK(step.times == 3);
  CHECK(step.request.method == "PUT");
  REQUIRE(step.request.headers.size() == 3);
  CHECK(step.request.headers[0].values.empty());
  CHECK(step.request.headers[2].values == std::vector<std::string>{"2", "3"});
  CHECK(step.request.patience == core::milliseconds(5));
  CHECK(step.request.obeys_retry_after);
  CHECK(step.expect.no_answer);
  REQUIRE(step.expect.fields.size() == 2);
  CHECK(step.expect.fields[0].value == boost::json::value(1));
  CHECK_FALSE(step.expect.fields[1].present);
  CHECK(step.expect.ledger->columns.size() == 2);
  CHECK(step.expect.wechat->errcodes->at(1) == std::nullopt);
  Step const& page = parsed->groups[1].steps[0];
  CHECK(page.page->error_number == 7);
  CHECK(page.expect.ledger->step == "a");
  CHECK(page.expect.wechat->unchanged);
}

TEST_CASE("an unknown key is named with its place") {
  CHECK(fault_of(R"({"title": {"en": "a", "zh": "b"}, "stpes": []})") ==
        R"(unknown key "stpes"; known are title, setup, steps)");
  std::string const good = R"({"request": {}, "expect": {"status": 200}}, )";
  CHECK(fault_of_step(good + R"({"request": {"methd": "GET"}, "expect": {}})")
            .starts_with(R"(steps[1].request: unknown key "methd"; known are method, path)"));
  CHECK(fault_of_step(R"({"request": {}, "expect": {"stauts": 200}})")
            .starts_with(R"(steps[0].expect: unknown key "stauts")"));
  CHECK(fault_of_step(R"({"request": {}, "expect": {"ledger": {"sate": "ok"}}})")
            .starts_with(R"(steps[0].expect.ledger: unknown key "sate")"));
  CHECK(fault_of_step(R"({"together": [{"request": {}, "expect": {"wechat": {"call": 1}}}]})")
            .starts_with(R"(steps[0].together[0].expect.wechat: unknown key "call")"));
}

TEST_CASE("what cannot be used is refused with its place") {
  CHECK(fault_of("{\n\"title\": oops").starts_with("line 2: not JSON"));
  CHECK(fault_of("[]") == "must be an object");
  CHECK(fault_of(R"({"title": {"en": "a", "zh": "b"}})") == "steps: is missing");
  CHECK(fault_of(R"({"title": {"en": "a"}, "steps": []})") == "title.zh: is missing or empty");
  CHECK(fault_of_step("") == "steps: must be a list that is not empty");
  CHECK(fault_of_step(R"({"expect": {}})") == "steps[0]: needs a request or a page");
  CHECK(fault_of_step(R"({"request": {}})") == "steps[0]: expects nothing");
  CHECK(fault_of_step(R"({"request": {}, "expect": {"status": "200"}})") ==
        "steps[0].expect.status: must be a whole number");
  CHECK(fault_of_step(R"({"request": {}, "expect": {"status": 42}})") ==
        "steps[0].expect.status: must be from 100 to 599");
  CHECK(fault_of_step(R"({"request": {"json": {}, "body": ""}, "expect": {}})") ==
        "steps[0].request: json and body exclude each other");
  CHECK(fault_of_step(R"({"request": {"raw": ["x"], "method": "GET"}, "expect": {}})") ==
        "steps[0].request: raw is the whole request: leave out method");
  CHECK(fault_of_step(R"({"request": {"headers": {"A": 1}}, "expect": {}})") ==
        "steps[0].request.headers.A: must be a string");
  CHECK(fault_of_step(R"({"request": {}, "expect": {"ledger": "nothing"}})")
            .starts_with(R"(steps[0].expect.ledger: must be "no row")"));
}

TEST_CASE("steps refer to steps before them, and to no others") {
  std::string const first = R"({"name": "first", "request": {}, "expect": {}})";
  CHECK(fault_of_step(first + R"(, {"request": {"body": "${first.body.x}"}, "expect": {}})") == "none");
  CHECK(fault_of_step(R"({"request": {"body": "${first.body.x}"}, "expect": {}}, )" + first) ==
        R"(steps[0].request.body: refers to "first", which is no step before it)");
  CHECK(fault_of_step(R"({"name": "me", "request": {}, "expect": {"fields": {"a": "${me.status}"}}})") ==
        R"(steps[0].expect.fields.a: refers to "me", which is no step before it)");
  CHECK(fault_of_step(first + R"(, {"request": {}, "expect": {"ledger": {"step": "frist", "state": "ok"}}})")
            .ends_with(R"(refers to "frist", which is no step before it)"));
  CHECK(fault_of_step(first + "," + first) == "steps[1].name: is another step's, too");
  CHECK(fault_of_step(R"({"request": {"path": "/${rnu}"}, "expect": {}})") ==
        "steps[0].request.path: ${rnu}: no such placeholder");
}

TEST_CASE("placeholders are replaced wherever they stand") {
  auto const values = [](std::string_view name) -> std::optional<std::string> {
    if (name == "run") return "7f";
    return std::nullopt;
  };
  CHECK(*expand_placeholders("", values) == "");
  CHECK(*expand_placeholders("no $ {here}", values) == "no $ {here}");
  CHECK(*expand_placeholders("${run}-x-${run}", values) == "7f-x-7f");
  CHECK(*expand_placeholders("${repeat:ab:3}", values) == "ababab");
  CHECK(*expand_placeholders("${repeat:a:b:2}", values) == "a:ba:b");
  CHECK(*expand_placeholders("${byte:ff}${byte:00}", values) == std::string("\xFF\0", 2));
}

TEST_CASE("a placeholder without a value is named") {
  CHECK(expand_placeholders("a ${other} b", no_values).error() == "${other}: has no value here");
  CHECK(expand_placeholders("a ${run", no_values).error() == "${run}: the closing } is missing");
  for (char const* const text : {"${repeat:3}", "${repeat::3}", "${repeat:x:-1}", "${repeat:x:9999999}",
                                 "${byte:}", "${byte:100}", "${byte:fg}"}) {
    CAPTURE(text);
    CHECK_FALSE(expand_placeholders(text, no_values).has_value());
  }
}

TEST_CASE("the page asks the server only with a code in its hand") {
  CHECK_FALSE(words_without_call({.error_message = "getPhoneNumber:ok", .code = "c"}).has_value());
  CHECK(words_without_call({.error_message = "getPhoneNumber:ok"}) == "未授权手机号");
  CHECK(words_without_call({.error_message = "getPhoneNumber:fail user deny"}) == "未授权手机号");
  CHECK(words_without_call({.error_message = "getPhoneNumber:fail", .error_number = 1400001}) ==
        "当前额度不足");
}

TEST_CASE("the page shows a problem's own words, and a fault where there are none") {
  CHECK(words_for_answer(200, R"({"phoneNumber":"1"})") == "获取成功");
  CHECK(words_for_answer(422, R"({"detail":"授权已过期，请重新点击"})") == "授权已过期，请重新点击");
  CHECK(words_for_answer(500, "<html>") == "服务端异常");
  CHECK(words_for_answer(0, "") == "服务端异常");
}

TEST_CASE("an answer is summed up by status, problem and replay") {
  CHECK(outcome_of(answer_with(200, R"({"kind":"quick"})")) == "200");
  CHECK(outcome_of(answer_with(409, R"({"code":"CODE_IN_PROGRESS"})")) == "409 CODE_IN_PROGRESS");
  CallAnswer replayed = answer_with(200, "{}");
  replayed.headers.emplace_back("idempotent-replayed", "true");
  CHECK(outcome_of(replayed) == "200 replayed");
  CHECK(outcome_of({.failure = "connection closed", .status = 0, .headers = {}, .body = {}}) ==
        "no answer: connection closed");
}

TEST_CASE("numbers are masked in whatever a report says") {
  CHECK(with_masked_numbers(R"("13800138000")") == R"("138****8000")");
  CHECK(with_masked_numbers("a 13800138000, b 13912345678.") == "a 138****8000, b 139****5678.");
  CHECK(with_masked_numbers("+85264983594").find("64983594") == std::string::npos);
  CHECK(with_masked_numbers("status 200, errcode 1400001") == "status 200, errcode 1400001");
}

TEST_CASE("every embedded scenario can be read") {
  CHECK(embedded_scenarios().size() >= 20);
  for (core::EmbeddedFile const& file : embedded_scenarios()) {
    CAPTURE(file.path);
    CHECK(fault_of(std::string(file.text)) == "none");
  }
}

TEST_CASE("every scenario of the source is embedded") {
  std::size_t files = 0;
  for (auto const& entry : std::filesystem::directory_iterator(ONETAP_SOURCE "/scripts/scenarios")) {
    if (entry.path().extension() != ".json") continue;
    ++files;
    CAPTURE(entry.path().string());
    CHECK(std::ranges::count(embedded_scenarios(), entry.path().filename().string(),
                             &core::EmbeddedFile::path) == 1);
  }
  CHECK(files == embedded_scenarios().size());
}

TEST_CASE("every test code of the sandbox is met in a scenario, or in the chaos test's table") {
  auto const chaos = read_text_file(ONETAP_SOURCE "/tests/system/chaos/chaos.cpp");
  REQUIRE(chaos);
  for (TestCode const& line : test_codes) {
    CAPTURE(line.code);
    std::string const with_suffix = std::string(line.code) + "-";
    std::string const quoted = "\"" + std::string(line.code) + "\"";
    bool const is_met = std::ranges::any_of(embedded_scenarios(), [&](core::EmbeddedFile const& file) {
      return file.text.find(with_suffix) != std::string_view::npos;
    });
    CHECK((is_met || chaos->find(quoted) != std::string::npos));
  }
}
