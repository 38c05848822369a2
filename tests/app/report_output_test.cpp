#include "app/commands/report_output.hpp"

#include <doctest/doctest.h>

#include "app/commands/command_line.hpp"
#include "app/console.hpp"

using namespace onetap;
using namespace onetap::app;

namespace {

storage::Table consumption(std::string const& state, storage::Value mask) {
  return {.columns = {"id", "state", "phone_mask", "errcode", "created_at"},
          .rows = {{std::int64_t{7}, state, std::move(mask), std::int64_t{40029},
                    std::string("2026-11-22T16:30:00Z")}}};
}

core::WallTime const now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(20);

}  // namespace

TEST_CASE("money is shown in yuan with two to six decimals") {
  CHECK(yuan(0.03) == "0.03");
  CHECK(yuan(12.5) == "12.50");
  CHECK(yuan(0) == "0.00");
  CHECK(yuan(1.234567) == "1.234567");
  CHECK(yuan(-0.04) == "-0.04");
  CHECK(yuan(-0.0000001) == "0.00");
}

TEST_CASE("yuan are read exactly, and nothing else is") {
  CHECK(parse_yuan("0.03") == 30'000);
  CHECK(parse_yuan("299.99") == 299'990'000);
  CHECK(parse_yuan("300") == 300'000'000);
  for (char const* const text : {"", ".", "1.", ".5", "-1", "1.2345678", "1e3", "1,5", "12345678901"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_yuan(text).has_value());
  }
}

TEST_CASE("times of the views are shown in China's") {
  CHECK(china_time("2026-11-22T16:30:05Z") == "2026-11-23 00:30:05");
  CHECK(china_time("order") == "order");
  CHECK(china_time("2026-11-22T16:30:05X") == "2026-11-22T16:30:05X");
  CHECK(china_day(now) == "2026-11-23");
  CHECK(iso_utc(now) == "2026-11-22T20:00:00Z");
}

TEST_CASE("since is China's midnight of a day, or a span back from now") {
  CHECK(iso_utc(*parse_since("2026-11-22", now)) == "2026-11-21T16:00:00Z");
  CHECK(iso_utc(*parse_since("7d", now)) == "2026-11-15T20:00:00Z");
  CHECK(iso_utc(*parse_since("24h", now)) == "2026-11-21T20:00:00Z");
  CHECK(iso_utc(*parse_since("30m", now)) == "2026-11-22T19:30:00Z");
  for (char const* const text : {"", "d", "7", "7w", "-1d", "2026-02-30", "2026-11-2", "yesterday"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_since(text, now).has_value());
  }
}

TEST_CASE("JSON and CSV give every column, with nothing that breaks them") {
  storage::Table const table{
      .columns = {"app_id", "scene", "yuan", "n"},
      .rows = {{std::string("wx1"), std::string("a \"b\",\nc"), 0.03, std::monostate{}}}};
  CHECK(render(table, Format::csv, {}) == "app_id,scene,yuan,n\r\nwx1,\"a \"\"b\"\",\nc\",0.03,\r\n");
  CHECK(render(table, Format::json, {}) ==
        "[\n  {\"app_id\": \"wx1\", \"scene\": \"a \\\"b\\\",\\nc\", \"yuan\": 0.03, \"n\": null}\n]\n");
  CHECK(render({.columns = {"a"}, .rows = {}}, Format::json, {}) == "[]\n");
}

TEST_CASE("CSV gives a spreadsheet no formula to run, and leaves numbers alone") {
  auto const cell = [](storage::Value value) {
    return render({.columns = {"a"}, .rows = {{std::move(value)}}}, Format::csv, {}).substr(3);
  };
  for (std::string const text : {"=1+1", "+cmd", "-cmd", "@SUM(1)", "-1+1"})
    CHECK(cell(text) == "'" + text + "\r\n");
  CHECK(cell(std::string("=A1,\"b\"")) == "\"'=A1,\"\"b\"\"\"\r\n");
  CHECK(cell(std::string("-1.5")) == "-1.5\r\n");
  CHECK(cell(std::string("+86")) == "+86\r\n");
  CHECK(cell(std::int64_t{-3}) == "-3\r\n");
  CHECK(cell(-0.04) == "-0.04\r\n");
}

TEST_CASE("an object of JSON takes other tables as arrays") {
  storage::Table const outer{.columns = {"id"}, .rows = {{std::int64_t{7}}}};
  storage::Table const inner{.columns = {"n"}, .rows = {{std::int64_t{1}}, {std::string("\033")}}};
  CHECK(json_object(outer, 0, {{"attempts", inner}, {"entries", {}}}) ==
        R"({"id": 7, "attempts": [{"n": 1}, {"n": "\u001b"}], "entries": []})");
}

TEST_CASE("a code is being exchanged only while somebody has the ledger") {
  auto const said = [](core::Language language, bool server_runs) {
    return fate_of(consumption("sending", std::monostate{}), 0, language, server_runs);
  };
  CHECK(said(core::Language::english, true).find("right now") != std::string::npos);
  CHECK(said(core::Language::english, false).find("when the server ended") != std::string::npos);
  CHECK(said(core::Language::chinese, true).find("一分钟后再查") != std::string::npos);
  CHECK(said(core::Language::chinese, false).find("服务结束时") != std::string::npos);
}

TEST_CASE("people get a table for each app, without what would upset a terminal") {
  storage::Table const table{.columns = {"app_id", "scene", "yuan"},
                             .rows = {{std::string("wx1"), std::string("\033[2J"), 0.03},
                                      {std::string("wx2"), std::string("order"), 1.5}}};
  std::string const text = render(table, Format::table, {{"scene", "scene"}, {"yuan", "spent"}});
  CHECK(text ==
        "app wx1\n  scene  spent\n  ?[2J    0.03\n"
        "\napp wx2\n  scene  spent\n  order   1.50\n");
}

TEST_CASE("a pack ends on the last day that it can be used, and large sums are shown to the fen") {
  storage::Table const packs{.columns = {"app_id", "ends_at", "amount_used_yuan"},
                             .rows = {{"wx1", std::string("2027-11-22T16:00:00Z"), 999.999'999},
                                      {"wx1", std::string("2027-11-22T16:00:01Z"), 12345.678'901}}};
  CHECK(render(packs, Format::table, {{"ends_at", "ends", true}, {"amount_used_yuan", "yuan"}}) ==
        "app wx1\n  ends              yuan\n  2027-11-22  999.999999\n  2027-11-23    12345.68\n");
  CHECK(render(packs, Format::csv, {}).find("2027-11-22T16:00:01Z,12345.678901") != std::string::npos);
}

TEST_CASE("what became of a code is one sentence that says what to tell the user") {
  for (std::string const state : {"sending", "ok", "rejected", "retryable", "in_doubt", "lost", "free"}) {
    CAPTURE(state);
    std::string const english =
        fate_of(consumption(state, std::monostate{}), 0, core::Language::english, true);
    CHECK(english.starts_with("Consumption 7 of 2026-11-23 00:30:00: "));
    CHECK(english.find("tell") != std::string::npos);
    CHECK(english.find('.') == english.size() - 1);
    std::string const chinese =
        fate_of(consumption(state, std::monostate{}), 0, core::Language::chinese, true);
    CHECK(chinese.starts_with("第 7 笔"));
    CHECK(chinese.ends_with("。"));
  }
  CHECK(fate_of(consumption("ok", std::string("138****8000")), 0, core::Language::english, true)
            .find("138****8000") != std::string::npos);
  CHECK(fate_of(consumption("ok", std::monostate{}), 0, core::Language::english, true).find("erased") !=
        std::string::npos);
  CHECK(
      fate_of(consumption("rejected", std::monostate{}), 0, core::Language::english, true).find("(40029)") !=
      std::string::npos);
}
