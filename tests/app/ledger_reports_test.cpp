#include "app/ledger_reports.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include "core/limits.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/manual_clock.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace json = boost::json;
using About = core::ReportQuestion::About;

namespace {

/// Every look at it takes longer than an answer may.
class HastyClock final : public core::Clock {
 public:
  [[nodiscard]] core::WallTime wall() const override { return {}; }
  [[nodiscard]] core::SteadyTime steady() const override {
    return core::SteadyTime(looks_.fetch_add(1) * (core::limits::report_time + core::seconds(1)));
  }
  [[nodiscard]] core::Task<bool> wait(core::Signal& /*signal*/, core::SteadyTime /*deadline*/) override {
    throw std::logic_error("a report waits for no signal");
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime /*deadline*/) override {
    throw std::logic_error("a report does not sleep");
  }

 private:
  mutable std::atomic<int> looks_ = 0;
};

struct Bench {
  TempFolder folder;
  asio::io_context loop{1};
  ManualClock clock{loop};
  std::filesystem::path path = folder / "onetap.db";

  void make_ledger() {
    storage::LedgerOptions options = options_for(path, StandingClock());
    options.now = {.wall = clock.wall(), .steady = clock.steady()};
    static_cast<void>(opened(options));
  }
  json::object answer(core::ReportQuestion question) {
    app::LedgerReports reports(path, clock);
    auto const text = await(loop, reports.answer(std::move(question)));
    REQUIRE(text.has_value());
    return json::parse(*text).as_object();
  }
};

}  // namespace

TEST_CASE("each question is answered with a JSON object, of an empty ledger as well") {
  Bench bench;
  bench.make_ledger();
  json::object const summary = bench.answer({.about = About::summary});
  for (char const* const name : {"today", "funnel", "doubts", "doubts_by_app", "wechat_now"}) {
    CAPTURE(name);
    CHECK(summary.at(name).as_array().empty());
  }
  CHECK(summary.at("day").as_string().size() == 10);
  CHECK(summary.at("database_bytes").as_int64() > 0);
  json::object const history =
      bench.answer({.about = About::history, .appid = "wx1", .kind = core::Kind::quick});
  for (char const* const name : {"hours", "days", "latency", "latency_today", "units_left", "wechat_left"}) {
    CAPTURE(name);
    CHECK(history.at(name).as_array().empty());
  }
  constexpr std::int64_t hour_ms = 3'600'000;
  std::int64_t const now = history.at("now").as_int64();
  CHECK(now - history.at("first_hour").as_int64() < 48 * hour_ms);
  CHECK(history.at("first_hour").as_int64() % hour_ms == 0);
  CHECK((history.at("first_day").as_int64() + 8 * hour_ms) % (24 * hour_ms) == 0);
  CHECK(bench.answer({.about = About::packs}).at("packs").as_array().empty());
  CHECK(bench.answer({.about = About::consumptions, .rows_max = 5}).at("consumptions").as_array().empty());
}

TEST_CASE("a question whose time is over before its turn comes is refused, and told why") {
  Bench bench;
  bench.make_ledger();
  HastyClock const clock;
  app::LedgerReports reports(bench.path, clock);
  auto const refused = await(bench.loop, reports.answer({.about = About::summary}));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == core::admin::Refusal::Kind::unavailable);
  CHECK(refused.error().sentence == "others were being answered for too long");
}

TEST_CASE("where there is no ledger the answer says so") {
  Bench bench;
  app::LedgerReports reports(bench.path, bench.clock);
  auto const refused = await(bench.loop, reports.answer({.about = About::packs}));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().sentence.find("there is no ledger") != std::string::npos);
}
