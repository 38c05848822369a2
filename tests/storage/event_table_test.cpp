#include <algorithm>
#include <future>

#include <boost/asio/co_spawn.hpp>

#include "core/limits.hpp"
#include "storage/event_table.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

using namespace std::chrono_literals;
namespace limits = core::limits;
namespace admin = core::admin;

constexpr char const* appid = "wx0000000000000001";

/// Pages that tell of their buttons, and codes that come.
class Pages {
 public:
  Pages() : speaker(tested) {}

  [[nodiscard]] core::PageEvent event(std::string const& id, core::EventType type,
                                      std::optional<int> code = {}) const {
    core::PageEvent event{.id = id + std::string(16, '-'), .type = type, .at = tested.now()};
    if (code) event.code_key = core::CodeKey{digest_of(*code)};
    return event;
  }
  [[nodiscard]] core::PageEvents told(std::vector<core::PageEvent> events) const {
    return {.appid = appid,
            .client_env = core::ClientEnv::release,
            .events = std::move(events),
            .received = tested.now()};
  }
  core::EventCounts tell(std::vector<core::PageEvent> events) {
    auto const answer = await(tested.loop(), tested.thread().record(told(std::move(events))));
    REQUIRE(answer.has_value());
    return *answer;
  }
  void issue(std::string const& id, int code, core::milliseconds ago = 0ms) {
    core::PageEvent issued = event(id, core::EventType::issued, code);
    issued.at -= ago;
    CHECK(tell({issued}).accepted == 1);
  }
  void settle_late() {
    auto found = storage::find_late_events(tested.path(), tested.now(), 100);
    CHECK(await(tested.loop(), tested.thread().settle_late_events(std::move(found))));
  }
  [[nodiscard]] ledger::Trace trace(int code) {
    return await(tested.loop(), tested.port().trace(core::CodeKey{digest_of(code)}));
  }
  [[nodiscard]] std::string value(std::string const& sql) const {
    auto reports = storage::Reports::open(tested.path());
    if (!reports) FAIL(reports.error());
    storage::Table const table = reports->query(sql, {});
    return table.rows.empty() ? "no row" : storage::to_text(table.rows.front().front());
  }
  [[nodiscard]] std::string presented(std::string const& id) const {
    return value("SELECT e.presented FROM event AS e WHERE e.event_id LIKE '" + id + "-%'");
  }
  [[nodiscard]] std::string funnel(std::string const& columns) const {
    return value("SELECT " + columns + " FROM v_funnel WHERE kind = 'quick'");
  }

  SqliteUnderTest tested;
  Speaker speaker;
};

}  // namespace

TEST_CASE("what pages told is there after a crash, and is not counted again") {
  Pages pages;
  std::vector<core::PageEvent> const events{
      pages.event("a", core::EventType::tap), pages.event("b", core::EventType::issued, 1),
      pages.event("a", core::EventType::tap), pages.event("c", core::EventType::no_quota)};
  core::EventCounts const first = pages.tell(events);
  CHECK(first.accepted == 3);
  CHECK(first.duplicates == 1);
  pages.tested.crash_and_restart();
  core::EventCounts const again = pages.tell(events);
  CHECK(again.accepted == 0);
  CHECK(again.duplicates == 4);
  CHECK(pages.funnel("taps || ' ' || issued || ' ' || no_quota") == "1 1 1");
  CHECK(pages.tested.violations().empty());
}

TEST_CASE("an event is kept as it was told") {
  Pages pages;
  core::PageEvent event = pages.event("a", core::EventType::denied, 7);
  event.kind = core::Kind::realtime;
  event.errno_told = 103;
  event.scene = "checkout";
  event.at -= 3s;
  pages.tell({event, pages.event("b", core::EventType::tap)});
  CHECK(pages.value("SELECT a.appid || ' ' || e.type || ' ' || e.kind || ' ' || e.errno || ' ' || e.scene ||"
                    " ' ' || e.client_env || ' ' || (e.received_at - e.at) || ' ' || length(e.code_key)"
                    " FROM event AS e JOIN app AS a ON a.id = e.app WHERE e.event_id LIKE 'a-%'") ==
        std::string(appid) + " denied realtime 103 checkout release 3000 32");
  CHECK(pages.value("SELECT (e.errno IS NULL) + (e.scene IS NULL) + (e.code_key IS NULL) FROM event AS e"
                    " WHERE e.event_id LIKE 'b-%'") == "3");
}

TEST_CASE("a code that never comes is settled five minutes after it was issued, by virtual time") {
  Pages pages;
  pages.issue("came", 1);
  pages.issue("never", 2);
  core::AttemptId const attempt = pages.speaker.started(1, caller(1));
  pages.tested.pass(5min - 1ms);
  pages.tested.maintain();
  CHECK(pages.presented("never").empty());
  pages.tested.pass(1ms);
  pages.tested.maintain();
  CHECK(pages.presented("came") == "1");
  CHECK(pages.presented("never") == "0");
  CHECK(pages.value("SELECT e.consumption FROM event AS e WHERE e.presented = 1") ==
        std::to_string(attempt.consumption));
  CHECK(pages.value("SELECT count(*) FROM event AS e WHERE e.presented = 0 AND e.consumption IS NULL") ==
        "1");
  CHECK(pages.funnel("issued || ' ' || never_presented") == "2 1");
}

TEST_CASE("one pass settles and forgets some hundred events, the next ones the rest") {
  Pages pages;
  std::vector<core::PageEvent> events;
  for (int i = 0; i < 600; ++i)
    events.push_back(pages.event(std::to_string(i), core::EventType::issued, 100 + i));
  pages.tell(std::move(events));
  pages.tested.pass(5min);
  for (int pass = 0; pass < 3; ++pass) pages.tested.maintain();
  CHECK(pages.funnel("never_presented") == "600");
  pages.tested.pass(std::chrono::days(30));
  for (int pass = 0; pass < 3; ++pass) pages.tested.maintain();
  CHECK(pages.value("SELECT count(*) FROM event") == "0");
  CHECK(pages.tested.thread().statistics().events_forgotten == 600);
  CHECK(pages.funnel("issued || ' ' || never_presented") == "600 600");
}

TEST_CASE("events are kept as many days as the operator wants") {
  Pages pages;
  pages.tell({pages.event("a", core::EventType::tap)});
  pages.tested.pass(std::chrono::days(30) - 1ms);
  pages.tested.maintain();
  CHECK(pages.value("SELECT count(*) FROM event") == "1");
  pages.tested.pass(2ms);
  pages.tested.maintain();
  CHECK(pages.value("SELECT count(*) FROM event") == "0");
}

TEST_CASE("an event that its page kept for long is settled by what a reader finds in the history") {
  Pages pages;
  pages.speaker.settle_ok(pages.speaker.started(1, caller(1)));
  pages.tested.pass(2h);
  pages.tested.maintain();
  REQUIRE(pages.value("SELECT count(*) FROM live_code") == "0");
  pages.issue("came", 1, 2h);
  pages.issue("never", 2, 2h);
  pages.tested.pass(5min);
  pages.tested.maintain();
  CHECK(pages.presented("came").empty());
  pages.settle_late();
  CHECK(pages.presented("came") == "1");
  CHECK(pages.presented("never") == "0");
  CHECK(pages.trace(1).used->consumption == 1);
}

TEST_CASE("a code's trace is what pages told of it, and the consumption that had its number") {
  Pages pages;
  CHECK_FALSE(pages.trace(1).issued.has_value());
  pages.issue("first", 1, 90s);
  pages.issue("second", 1, 30s);
  pages.issue("ahead", 2, -60s);
  pages.tell({pages.event("other", core::EventType::denied, 3)});
  core::WallTime const told = pages.tested.now();
  CHECK(pages.trace(1).issued == told - 30s);  // its clock may be a minute behind
  CHECK(pages.trace(2).issued == told);
  CHECK_FALSE(pages.trace(3).issued.has_value());

  pages.speaker.settle_ok(pages.speaker.started(1, caller(1)));
  pages.speaker.settle_rejected(pages.speaker.started(2, caller(1)));
  core::WallTime const consumed = pages.tested.now();
  pages.tested.pass(2h);
  pages.tested.maintain();
  ledger::Trace const trace = pages.trace(1);
  REQUIRE(trace.used.has_value());
  CHECK(trace.used->request_id == "request-1");
  CHECK(trace.used->at == consumed);
  CHECK(trace.issued == told - 30s);
  CHECK_FALSE(pages.trace(2).used.has_value());  // WeChat refused it then, too
}

TEST_CASE("codes pass events by, of which so many requests wait") {
  Pages pages;
  std::promise<void> release;
  auto const released = release.get_future().share();
  std::promise<void> begun_to_hold;
  admin::RotateKey hold{.key_fingerprint = digest_of(4711),
                        .reseal = [released, &begun_to_hold](auto, auto, core::SealedBytes const& sealed) {
                          begun_to_hold.set_value();
                          released.wait();
                          return std::optional(sealed);
                        }};
  auto& loop = pages.tested.loop();
  auto const ignore = [](std::exception_ptr const& error, auto const&) { REQUIRE_FALSE(error); };
  asio::co_spawn(loop, pages.tested.thread().administer({.act = std::move(hold), .at = pages.tested.now()}),
                 ignore);
  loop.restart();
  loop.poll();
  begun_to_hold.get_future().wait();

  std::string order;
  int busy = 0;
  std::size_t const sent = limits::event_requests_queued_max + 44;
  for (std::size_t i = 0; i < sent; ++i) {
    auto answered = [&](std::exception_ptr const& error, auto const& answer) {
      REQUIRE_FALSE(error);
      if (answer) order += 'e';
      if (!answer) ++busy;
    };
    auto request = pages.told({pages.event(std::to_string(i), core::EventType::tap)});
    asio::co_spawn(loop, pages.tested.thread().record(std::move(request)), answered);
  }
  loop.poll();
  CHECK(busy == 44);
  CHECK(pages.tested.thread().statistics().events_queued == limits::event_requests_queued_max);
  CHECK(pages.tested.thread().writable());
  constexpr int codes = 20;
  for (int code = 1; code <= codes; ++code) {
    auto begun = [&](std::exception_ptr const& error, auto const&) {
      REQUIRE_FALSE(error);
      order += 'c';
    };
    asio::co_spawn(loop, pages.tested.port().begin(pages.speaker.intent(code, caller(1))), begun);
  }
  loop.poll();
  CHECK(order.empty());
  release.set_value();
  loop.restart();
  loop.run();
  CHECK(order == std::string(codes, 'c') + std::string(limits::event_requests_queued_max, 'e'));
  CHECK(pages.tested.thread().statistics().events_queued == 0);
  CHECK(pages.tested.thread().statistics().events_accepted == limits::event_requests_queued_max);
}

TEST_CASE("no more events are kept than there is a limit for, and codes are taken all the same") {
  Pages pages;
  pages.tell({pages.event("a", core::EventType::tap)});
  {
    storage::Connection connection(pages.tested.path(), storage::Access::read_write);
    connection.run("INSERT INTO event (id, app, event_id, type, kind, client_env, at, received_at) VALUES (" +
                   std::to_string(limits::events_kept_max) +
                   ", 1, 'b---------------', 'tap', 'quick', 'release', 1, 1)");
  }
  auto const answer =
      await(pages.tested.loop(),
            pages.tested.thread().record(pages.told({pages.event("c", core::EventType::tap)})));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error() == core::EventsRefused::full);
  CHECK(pages.speaker.started(1, caller(1)).number == 1);
}

TEST_CASE("why a code was refused stays as it was told, and only refused codes have a reason") {
  Pages pages;
  core::Settlement rejected{.attempt = pages.speaker.started(1, caller(1)),
                            .state = State::rejected,
                            .errcode = 40029,
                            .reason = core::Reason::expired};
  pages.speaker.settle(rejected);
  pages.speaker.settle_ok(pages.speaker.started(2, caller(1)));
  storage::Connection connection(pages.tested.path(), storage::Access::read_write);
  for (std::string const change :
       {"reason = 'unknown' WHERE id = 1", "reason = NULL WHERE id = 1", "reason = 'expired' WHERE id = 2"}) {
    CAPTURE(change);
    CHECK_THROWS(connection.run("UPDATE consumption SET " + change));
  }
  CHECK(pages.value("SELECT group_concat(coalesce(reason, 'none')) FROM consumption") == "expired,none");
}

TEST_CASE("a closed ledger takes no events, and knows nothing") {
  Pages pages;
  pages.issue("a", 1);
  pages.tested.close();
  auto const answer =
      await(pages.tested.loop(),
            pages.tested.thread().record(pages.told({pages.event("b", core::EventType::tap)})));
  REQUIRE_FALSE(answer.has_value());
  CHECK(answer.error() == core::EventsRefused::unavailable);
  CHECK_FALSE(pages.trace(1).issued.has_value());
}

}  // namespace onetap::tests
