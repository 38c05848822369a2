#include "app/metrics/metrics.hpp"

#include <doctest/doctest.h>
#include <prometheus/text_serializer.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "app/metrics/samples.hpp"
#include "app/settings.hpp"
#include "tests/storage/storage_fixture.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/metrics_text.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

constexpr char appid[] = "wx0123456789abcdef";

core::PhoneResult number_of(core::Kind kind, bool replayed = false) {
  return {.answer = core::PhoneNumber(), .kind = kind, .replayed = replayed};
}

app::Instruments instruments() { return {"0.1.0", "real", {appid}}; }

std::string text_of(app::Instruments const& instruments) {
  return prometheus::TextSerializer().Serialize(instruments.collect());
}

template <class Figures>
std::string text_of(Figures const& figures) {
  app::Samples samples;
  sample(figures, samples);
  return prometheus::TextSerializer().Serialize(samples.take());
}

core::Task<net::Response> nothing(net::Request const& /*request*/) { co_return net::Response(); }

std::vector<net::Route> two_routes() {
  return {{.method = "POST", .path = "/phone/consume", .handle = nothing},
          {.method = "GET", .path = "/healthz", .handle = nothing}};
}

/// Everything is known, and everything has happened.
app::ServerState full_state(core::SteadyTime now) {
  app::MiniProgramState one{.appid = appid, .serves = true};
  one.calls.position = core::CircuitBreaker::Position::open;
  one.calls.opened.at(static_cast<std::size_t>(core::OutageCause::rate_limited)) = 2;
  one.calls.under_way = 3;
  one.token = {.fetched = 4,
               .failed = 1,
               .misconfigured = 0,
               .dropped = 1,
               .fetched_at = now - 100s,
               .expires_at = now + 7100s};
  one.quota.front() = core::QuotaFigures{
      .as_of = core::wall_time_of_unix_ms(1'790'000'000'000), .units = 1000, .left = 250, .days_left = 12.5};
  app::ServerState state{.now = now, .ready = true, .ledger_writable = true, .mini_programs = {one}};
  state.ledger.queued = 7;
  state.ledger.wal_truncated = false;
  state.ledger.wal_kept_since = now - 61s;
  state.certificate_until = core::wall_time_of_unix_ms(1'800'000'000'000);
  state.clock_offset = 2s;
  return state;
}

app::LedgerFigures full_figures() {
  return {.at = core::wall_time_of_unix_ms(1'790'000'000'000),
          .units = {{.appid = appid, .kind = "quick", .account = "lost", .units = 3}},
          .doubts = {{.appid = appid,
                      .kind = "quick",
                      .codes = 2,
                      .oldest = core::wall_time_of_unix_ms(1'789'999'000'000)},
                     {.appid = appid, .kind = "realtime"}},
          .events = {{.appid = appid, .kind = "quick", .type = "issued", .events = 40}},
          .leaks = {{.appid = appid, .kind = "quick", .ratio = 0.25}},
          .database_bytes = 4096,
          .wal_bytes = 8192,
          .disk_free_bytes = 1};
}

std::string everything() {
  auto made = instruments();
  std::ignore = made.requests_of("public", two_routes());
  return text_of(made) + text_of(full_state(core::SteadyTime(1h))) + text_of(full_figures()) +
         text_of(app::ProcessFigures());
}

std::string file(std::string const& path) {
  auto const text = app::read_text_file(std::string(ONETAP_SOURCE) + "/" + path);
  REQUIRE_MESSAGE(text.has_value(), path);
  return *text;
}

/// The metrics that a dashboard or a rule asks for: words that begin as ours do.
std::set<std::string> names_in(std::string_view text) {
  std::set<std::string> names;
  for (std::string_view const prefix : {"onetap_", "process_"}) {
    for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
      bool const is_whole = at == 0 || std::string_view("abcdefghijklmnopqrstuvwxyz_").find(text[at - 1]) ==
                                           std::string_view::npos;
      auto const end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", at);
      if (is_whole) names.emplace(text.substr(at, end == std::string_view::npos ? end : end - at));
    }
  }
  return names;
}

std::vector<std::string> unknown_of(std::set<std::string> const& names) {
  auto const exposed = families_in(everything());
  std::vector<std::string> unknown;
  for (std::string const& name : names) {
    bool known = exposed.contains(name);
    for (std::string const suffix : {"_bucket", "_sum", "_count"}) {
      if (name.ends_with(suffix)) {
        auto const family = exposed.find(name.substr(0, name.size() - suffix.size()));
        known = known || (family != exposed.end() && family->second.type == "histogram");
      }
    }
    if (!known) unknown.push_back(name);
  }
  return unknown;
}

void collect_expressions(boost::json::value const& value, std::string& all) {
  if (auto const* const object = value.if_object()) {
    for (auto const& [key, member] : *object) {
      if ((key == "expr" || key == "query" || key == "definition") && member.is_string())
        all.append(member.as_string()).append("\n");
      collect_expressions(member, all);
    }
  } else if (auto const* const array = value.if_array()) {
    for (auto const& member : *array) collect_expressions(member, all);
  }
}

}  // namespace

TEST_CASE("an exchange counts by what became of it and by its cause, and takes its time") {
  auto made = instruments();
  app::ExchangeInstruments& codes = made.exchanges_of(appid);
  codes.settled(core::Kind::quick, core::State::ok, {.verdict = core::Verdict::number, .errcode = 0}, 120ms);
  codes.settled(core::Kind::quick, core::State::ok, {.verdict = core::Verdict::number, .errcode = 0}, 60ms);
  codes.settled(core::Kind::realtime, core::State::in_doubt, {.cause = core::Cause::timeout}, 4s);
  std::string const text = text_of(made);
  std::string const of = R"(onetap_exchanges_total{app="wx0123456789abcdef")";
  CHECK(value_in(text, of, R"(kind="quick",outcome="ok",cause="")") == "2");
  CHECK(value_in(text, of, R"(kind="realtime",outcome="in_doubt",cause="timeout")") == "1");
  CHECK(value_in(text, of, R"(kind="quick",outcome="in_doubt",cause="timeout")") == "0");
  std::string const bucket = R"(onetap_exchange_duration_seconds_bucket{app="wx0123456789abcdef")";
  CHECK(value_in(text, bucket, R"(le="0.05")") == "0");
  CHECK(value_in(text, bucket, R"(le="0.1")") == "1");
  CHECK(value_in(text, bucket, R"(le="0.25")") == "2");
  CHECK(value_in(text, bucket, R"(le="5")") == "3");
  CHECK(value_in(text, "onetap_exchange_duration_seconds_count{", "app=") == "3");
}

TEST_CASE("an errcode counts under its own number only where the table knows it") {
  auto made = instruments();
  app::ExchangeInstruments& codes = made.exchanges_of(appid);
  codes.settled(core::Kind::quick, core::State::rejected,
                {.verdict = core::Verdict::code_invalid, .errcode = 40029}, 1ms);
  codes.settled(core::Kind::quick, core::State::in_doubt,
                {.cause = core::Cause::unknown_errcode, .errcode = 987654}, 1ms);
  std::string const text = text_of(made);
  CHECK(value_in(text, "onetap_exchange_errcodes_total{", R"(errcode="40029")") == "1");
  CHECK(value_in(text, "onetap_exchange_errcodes_total{", R"(errcode="other")") == "1");
  CHECK(text.find("987654") == std::string::npos);
}

TEST_CASE("numbers handed out are a counter of their own, and say where they came from") {
  auto made = instruments();
  app::ExchangeInstruments& codes = made.exchanges_of(appid);
  codes.answered(number_of(core::Kind::quick));
  codes.answered(number_of(core::Kind::quick, true));
  codes.answered({.answer = core::Problem{.code = core::ProblemCode::code_invalid}});
  codes.decrypted(number_of(core::Kind::realtime));
  codes.decrypted(number_of(core::Kind::realtime, true));
  std::string const text = text_of(made);
  std::string const of = "onetap_numbers_total{";
  CHECK(value_in(text, of, R"(kind="quick",source="exchange",outcome="ok")") == "1");
  CHECK(value_in(text, of, R"(kind="quick",source="replay",outcome="ok")") == "1");
  CHECK(value_in(text, of, R"(kind="realtime",source="decryption",outcome="ok")") == "1");
  CHECK(value_in(text, of, R"(kind="realtime",source="replay",outcome="ok")") == "1");
}

TEST_CASE("a request counts by its route's template and by the problem's code, never by what it said") {
  auto made = instruments();
  app::RequestInstruments& requests = made.requests_of("public", two_routes());
  requests.observe({.route = 0, .status = 200, .problem = {}, .took = 30ms});
  requests.observe({.route = 0, .status = 422, .problem = "CODE_INVALID", .took = 30ms});
  requests.observe({.route = 0, .status = 422, .problem = "CODE_INVALID", .took = 30ms});
  requests.observe({.route = 0, .status = 403, .problem = {}, .took = 1ms});
  requests.observe({.route = 2, .status = 404, .problem = "NOT_FOUND", .took = 1ms});
  std::string const text = text_of(made);
  std::string const of = R"(onetap_http_requests_total{listener="public")";
  std::string const consume = R"(method="POST",route="/phone/consume",)";
  CHECK(value_in(text, of, consume + R"(outcome="ok")") == "1");
  CHECK(value_in(text, of, consume + R"(outcome="CODE_INVALID")") == "2");
  CHECK(value_in(text, of, consume + R"(outcome="refused")") == "1");
  CHECK(value_in(text, of, R"(method="GET",route="/healthz",outcome="ok")") == "0");
  CHECK(value_in(text, of, R"(method="other",route="other",outcome="NOT_FOUND")") == "1");
  CHECK(value_in(text, "onetap_http_request_duration_seconds_count{", consume) == "4");
}

TEST_CASE("a call of WeChat's counts by how far it came") {
  auto made = instruments();
  made.called(net::WeChatCall::get_access_token, {.delivery = core::Delivery::answered}, 40ms);
  made.called(net::WeChatCall::get_access_token, {.delivery = core::Delivery::maybe_sent}, 3s);
  made.called(net::WeChatCall::get_user_phone_number, {.delivery = core::Delivery::not_sent}, 1s);
  std::string const text = text_of(made);
  CHECK(value_in(text, "onetap_wechat_calls_total{", R"(call="token",outcome="answered")") == "1");
  CHECK(value_in(text, "onetap_wechat_calls_total{", R"(call="token",outcome="lost")") == "1");
  CHECK(value_in(text, "onetap_wechat_calls_total{", R"(call="getuserphonenumber",outcome="not_sent")") ==
        "1");
  CHECK(value_in(text, "onetap_wechat_call_duration_seconds_bucket{", R"(call="token",le="0.05")") == "1");
}

TEST_CASE("a commit's time is counted in fractions of a millisecond") {
  auto made = instruments();
  made.committed(300us);
  std::string const text = text_of(made);
  CHECK(value_in(text, "onetap_ledger_commit_duration_seconds_bucket{", R"(le="0.00025")") == "0");
  CHECK(value_in(text, "onetap_ledger_commit_duration_seconds_bucket{", R"(le="0.0005")") == "1");
}

TEST_CASE("the loop's lateness is counted where two milliseconds can be told from five") {
  auto made = instruments();
  made.was_late(1900us);
  made.was_late(2100us);
  made.was_late(60ms);
  std::string const text = text_of(made);
  std::string const bucket = "onetap_loop_lateness_seconds_bucket{";
  CHECK(value_in(text, bucket, R"(le="0.001")") == "0");
  CHECK(value_in(text, bucket, R"(le="0.002")") == "1");
  CHECK(value_in(text, bucket, R"(le="0.005")") == "2");
  CHECK(value_in(text, bucket, R"(le="0.05")") == "2");
  CHECK(value_in(text, bucket, R"(le="0.1")") == "3");
}

TEST_CASE("how the server stands is told as it is at that moment") {
  std::string const text = text_of(full_state(core::SteadyTime(1h)));
  CHECK(value_in(text, "onetap_breaker_state{", R"(state="open")") == "1");
  CHECK(value_in(text, "onetap_breaker_state{", R"(state="closed")") == "0");
  CHECK(value_in(text, "onetap_breaker_opened_total{", R"(cause="rate_limited")") == "2");
  CHECK(value_in(text, "onetap_token_age_seconds{", "app=") == "100");
  CHECK(value_in(text, "onetap_token_left_seconds{", "app=") == "7100");
  CHECK(value_in(text, "onetap_token_refreshes_total{", R"(outcome="ok")") == "4");
  CHECK(value_in(text, "onetap_quota_left_units{", R"(kind="quick")") == "250");
  CHECK(value_in(text, "onetap_quota_time_left_seconds{", R"(kind="quick")") == "1080000");
  CHECK(value_in(text, "onetap_ledger_queue_commands{", R"(queue="codes")") == "7");
  CHECK(value_in(text, "onetap_wal_kept_by_reader_seconds", "") == "61");
  CHECK(value_in(text, "onetap_certificate_expiry_timestamp_seconds", "") == "1800000000");
}

TEST_CASE("what is not known is left out, not told as nothing") {
  app::ServerState const state{.mini_programs = {{.appid = appid}}};
  std::string const text = text_of(state);
  for (std::string const name :
       {"onetap_token_age_seconds", "onetap_quota_left_units", "onetap_quota_time_left_seconds",
        "onetap_clock_offset_seconds", "onetap_certificate_expiry_timestamp_seconds"}) {
    CAPTURE(name);
    CHECK(text.find(name) == std::string::npos);
  }
  CHECK(value_in(text, "onetap_token_held{", "app=") == "0");
  CHECK(value_in(text, "onetap_wal_kept_by_reader_seconds", "") == "0");
}

TEST_CASE("a process's figures are read from /proc as proc(5) has them") {
  std::string const self =
      "4242 (a (odd) name) S 1 4242 4242 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 123400 104857600 2560 "
      "18446744073709551615 1 1 0 0 0";
  std::string const system = "cpu  1 2 3\nbtime 1790000000\nprocesses 5\n";
  auto const figures = app::read_process_stat(self, system, {.ticks_per_second = 100, .page_bytes = 4096});
  REQUIRE(figures.has_value());
  CHECK(figures->cpu_seconds == doctest::Approx(3));
  CHECK(figures->start_time == doctest::Approx(1790001234));
  CHECK(figures->virtual_bytes == doctest::Approx(104857600));
  CHECK(figures->resident_bytes == doctest::Approx(2560 * 4096));
  for (std::string const broken : {"", "4242 (x) S 1", "no parentheses at all"}) {
    CAPTURE(broken);
    CHECK_FALSE(app::read_process_stat(broken, system, {}).has_value());
  }
  CHECK_FALSE(app::read_process_stat(self, "cpu 1\n", {}).has_value());
  auto const own = app::read_process_figures();
  REQUIRE(own.has_value());
  CHECK(own->open_descriptors >= 3);
  CHECK(own->resident_bytes > 1e6);
}

TEST_CASE("docs/metrics.md lists what the server exposes, and nothing else") {
  std::string const text = everything();
  std::map<std::string, std::string> exposed;
  for (auto const& [name, family] : families_in(text)) exposed[name] = family.type + " " + family.labels;
  CHECK(documented_metrics(file("docs/metrics.md")) == exposed);
  for (auto const& [name, family] : families_in(text)) {
    CAPTURE(name);
    CHECK((name.starts_with("onetap_") || name.starts_with("process_")));
    CHECK(name.ends_with("_total") == (family.type == "counter"));
  }
}

TEST_CASE("the dashboard for Grafana asks for nothing that is not there") {
  std::string expressions;
  collect_expressions(boost::json::parse(file("docs/grafana/onetap.json")), expressions);
  auto const names = names_in(expressions);
  CHECK(names.size() > 20);
  CHECK(unknown_of(names) == std::vector<std::string>());
}

TEST_CASE("the alert rules ask for nothing that is not there") {
  auto const names = names_in(file("docs/prometheus/alerts.yml"));
  CHECK(names.size() > 15);
  CHECK(unknown_of(names) == std::vector<std::string>());
}

namespace {

/// What is read from files, with a ledger that a page has told of three codes.
struct Bench {
  TempFolder folder;
  asio::io_context loop{1};
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  std::filesystem::path path = folder / "onetap.db";
  storage::LedgerThread ledger{opened(options()), clock, [](std::string const& reason) { FAIL(reason); }};

  storage::LedgerOptions options() {
    storage::LedgerOptions options = options_for(path, StandingClock());
    options.now = {.wall = clock.wall(), .steady = clock.steady()};
    return options;
  }
  void tell(std::string const& id, core::milliseconds ago) {
    core::PageEvents events{.appid = appid, .received = clock.wall()};
    events.events.push_back({.id = "an-event-of-pages-" + id,
                             .type = core::EventType::issued,
                             .code_key = core::CodeKey{digest_of(static_cast<int>(ago.count()))},
                             .at = clock.wall() - ago});
    REQUIRE(finish(ledger.record(std::move(events)))->accepted == 1);
  }
  /// Beside others that go on.
  template <class Value>
  Value finish(core::Task<Value> task) {
    auto started = start(loop, std::move(task));
    return finish(started);
  }
  template <class Value>
  Value finish(Started<Value>& started) {
    loop.restart();
    while (!started.done()) loop.run_one();
    return std::move(started.value());
  }
};

core::Task<bool> run_to_the_end(app::Metrics& metrics) {
  co_await metrics.run();
  co_return true;
}

}  // namespace

TEST_CASE("the ledger's figures come from the ledger") {
  Bench bench;
  bench.tell("1", 1h);
  bench.tell("2", 2h);
  auto const figures = app::read_ledger_figures(bench.path, bench.clock.wall());
  REQUIRE(figures.has_value());
  REQUIRE(figures->events.size() == 1);
  CHECK(figures->events.front().type == "issued");
  CHECK(figures->events.front().events == 2);
  REQUIRE(figures->leaks.size() == 1);
  CHECK(figures->leaks.front().ratio == doctest::Approx(0));
  CHECK(figures->doubts.size() == 2);  // of both kinds, though there are none
  CHECK_FALSE(figures->doubts.front().oldest.has_value());
  CHECK(figures->database_bytes > 0);
  CHECK(figures->wal_bytes > 0);
  auto const later = app::read_ledger_figures(bench.path, bench.clock.wall() + core::milliseconds(8 * 24h));
  CHECK(later->leaks.empty());
  CHECK(later->events.size() == 1);
  CHECK_FALSE(app::read_ledger_figures(bench.folder / "none.db", bench.clock.wall()).has_value());
}

TEST_CASE("a scrape has the ledger read once in a while, and waits for files no longer than a second") {
  Bench bench;
  bench.tell("1", 1h);
  auto made = instruments();
  int looks = 0;
  app::Metrics metrics(
      {.instruments = made, .clock = bench.clock, .log = bench.log, .database = bench.path, .state = [&] {
         ++looks;
         return full_state(bench.clock.steady());
       }});
  SUBCASE("nobody reads: it tells what is in memory, after that second") {
    auto scrape = start(bench.loop, metrics.text());
    bench.clock.advance(999ms);
    CHECK(looks == 0);
    bench.clock.advance(1ms);
    CHECK(looks == 1);
    std::string const text = bench.finish(scrape);
    CHECK(text.find("onetap_ready 1") != std::string::npos);
    CHECK(text.find("process_open_fds") == std::string::npos);
  }
  SUBCASE("the files are read") {
    auto reading = start(bench.loop, run_to_the_end(metrics));
    auto const events = [&] {
      return std::string(value_in(bench.finish(metrics.text()), "onetap_page_events_total{", "issued"));
    };
    CHECK(events() == "1");
    bench.tell("2", 2h);
    CHECK(events() == "1");
    bench.clock.advance(15s);
    CHECK(events() == "2");
    metrics.stop();
    bench.clock.settle();
    CHECK(reading.done());
    CHECK(bench.lines.empty());
  }
}
