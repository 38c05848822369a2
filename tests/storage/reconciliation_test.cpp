#include "storage/reconciliation.hpp"

#include <string>
#include <vector>

#include "storage/backup.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

namespace admin = core::admin;
namespace reconciliation = core::reconciliation;
using core::PackUsage;
using namespace std::chrono_literals;

constexpr char const* appid = "wx0000000000000001";

/// A ledger beside WeChat's figures, which the test makes up.
class Office {
 public:
  Office() : speaker(tested) {}
  ~Office() { CHECK(tested.violations().empty()); }

  void told(std::vector<PackUsage> packs) {
    core::UsageSnapshot snapshot{
        .appid = appid, .kind = core::Kind::quick, .packs = std::move(packs), .as_of = tested.now()};
    REQUIRE(await(tested.loop(), tested.thread().record_usage(std::move(snapshot))).has_value());
    tested.pass(1s);
  }
  void spend(int first_code, int count) {
    for (int code = first_code; code < first_code + count; ++code)
      speaker.settle_ok(speaker.started(code, caller(1)));
    tested.pass(1s);
  }
  /// A page tells that it got this code, some time ago.
  void issue(int code, core::milliseconds ago) {
    core::PageEvent event{.id = "event-of-code-" + std::to_string(1000 + code),
                          .type = core::EventType::issued,
                          .code_key = core::CodeKey{digest_of(code)},
                          .at = tested.now() - ago};
    core::PageEvents events{.appid = appid, .events = {event}, .received = tested.now()};
    REQUIRE(await(tested.loop(), tested.thread().record(std::move(events))).has_value());
  }
  void done(decltype(admin::Command::act) act) {
    admin::Command command{.act = std::move(act), .at = tested.now()};
    REQUIRE(await(tested.loop(), tested.thread().administer(std::move(command))).has_value());
  }
  void wait(core::milliseconds time) {
    tested.pass(time);
    tested.maintain();
  }
  storage::Day today() {
    auto const midnight = std::chrono::floor<std::chrono::days>(tested.now() + 8h) - 8h;
    return {.name = "2124-11-22", .from = midnight, .until = midnight + 24h};
  }

  /// "ZY1 VERDICT cause+units … ?unexplained; …"
  std::string found(std::optional<storage::Day> const& day = std::nullopt) {
    auto reports = storage::Reports::open(tested.path());
    if (!reports) FAIL(reports.error());
    std::string text;
    for (reconciliation::Books& books : storage::read_books(*reports, "", day)) {
      books.rejected = storage::count_rejected(*reports, books, day);
      for (reconciliation::Finding const& finding : reconciliation::explain(books)) {
        text += (text.empty() ? "" : "; ") + finding.figures.wx_pkg_id + " ";
        text += reconciliation::to_string(finding.verdict);
        for (reconciliation::Line const& line : finding.lines) {
          text += " " + std::string(reconciliation::to_string(line.cause)) + (line.units > 0 ? "+" : "");
          text += std::to_string(line.units);
        }
        if (finding.unexplained != 0) text += " ?" + std::to_string(finding.unexplained);
      }
    }
    return text;
  }

  SqliteUnderTest tested;
  Speaker speaker;
};

PackUsage paid(std::string id, std::int64_t all, std::int64_t used,
               std::optional<core::WallTime> ends = std::nullopt) {
  return {.pkg_id = std::move(id), .all = all, .used = used, .ends = ends};
}

}  // namespace

TEST_CASE(
    "WeChat's figures that lag behind the codes of the last minutes are no error; later they would be") {
  Office office;
  office.told({paid("ZY1", 100, 0)});
  office.spend(1, 3);
  office.told({paid("ZY1", 100, 1)});
  CHECK(office.found() == "ZY1 EXPLAINED_BY_LAG lag-2");
  office.wait(10min);
  office.told({paid("ZY1", 100, 1)});
  CHECK(office.found() == "ZY1 WE_COUNT_MORE ?-2");
  office.told({paid("ZY1", 100, 3)});
  CHECK(office.found() == "ZY1 AGREES");
}

TEST_CASE(
    "a code that was issued before its pack ended, and came afterwards, has shifted between two packs") {
  Office office;
  auto const ends = std::chrono::floor<std::chrono::seconds>(office.tested.now()) + 1h;
  office.told({paid("ZY1", 100, 0, ends), paid("ZY2", 100, 0)});
  office.spend(1, 2);
  office.wait(2h);
  office.spend(3, 2);
  PackUsage over = paid("ZY1", 100, 3, ends);
  over.status = PackUsage::Status::over;
  office.wait(15min);
  office.told({over, paid("ZY2", 100, 1)});
  CHECK(office.found() == "ZY1 EXPLAINED_BY_SHIFT shift+1; ZY2 EXPLAINED_BY_SHIFT shift-1");
}

TEST_CASE("what WeChat charged more is told by the codes that pages got, and by those that WeChat refused") {
  Office office;
  office.told({paid("ZY1", 100, 0)});
  office.spend(1, 1);
  office.issue(1, 1min);
  office.issue(2, 1min);
  office.issue(3, 1min);
  office.speaker.settle_rejected(office.speaker.started(4, caller(1)));
  office.wait(20min);
  office.told({paid("ZY1", 100, 5)});
  CHECK(office.found() == "ZY1 WECHAT_COUNTS_MORE never_presented+2 rejected+1 ?1");

  SUBCASE("what is booked as a leak is told no more") {
    office.done(admin::BookLeak{.pack = 3, .units = 3, .note = "two never came, one by the bill"});
    CHECK(office.found() == "ZY1 WECHAT_COUNTS_MORE ?1");
    office.done(admin::BookLeak{.pack = 3, .units = 1, .note = "double taps"});
    CHECK(office.found() == "ZY1 AGREES");
  }
  SUBCASE("of the day it happened on the leak stays, with what was booked") {
    office.done(admin::BookLeak{.pack = 3, .units = 4, .note = "the bill"});
    CHECK(office.found(office.today()) == "ZY1 WECHAT_COUNTS_MORE leak+4");
  }
}

TEST_CASE("a day is compared by WeChat's figures at its beginning and its end") {
  Office office;
  office.told({paid("ZY1", 100, 7)});
  office.spend(1, 2);
  office.wait(20min);
  office.told({paid("ZY1", 100, 10)});  // one of them leaked
  CHECK(office.found(office.today()) == "ZY1 WECHAT_COUNTS_MORE ?1");
  office.wait(24h);
  office.spend(3, 4);
  office.wait(20min);
  office.told({paid("ZY1", 100, 14)});
  CHECK(office.found(office.today()) == "ZY1 AGREES");
  storage::Day const yesterday{
      .name = "2124-11-22", .from = office.today().from - 24h, .until = office.today().from};
  CHECK(office.found(yesterday) == "ZY1 WECHAT_COUNTS_MORE ?1");
  storage::Day const long_ago{.name = "2124-10-01", .from = {}, .until = core::WallTime(1h)};
  CHECK(office.found(long_ago).empty());
}

TEST_CASE("of a day, codes of just before it may be in WeChat's figures of it") {
  Office office;
  office.told({paid("ZY1", 100, 0)});
  office.tested.pass(office.today().until - office.tested.now() - 10s);
  office.spend(1, 2);
  office.told({paid("ZY1", 100, 0)});
  office.tested.pass(1h);
  office.told({paid("ZY1", 100, 2)});
  CHECK(office.found(office.today()) == "ZY1 EXPLAINED_BY_LAG lag+2");
}

TEST_CASE("units that were booked beyond all packs, and that WeChat burnt from one, are a shift") {
  Office office;
  office.told({paid("ZY1", 2, 0)});
  office.spend(1, 2);
  office.done(admin::AddPack{.appid = appid, .units = 5});
  office.spend(3, 1);
  office.wait(20min);
  office.told({paid("ZY1", 2, 2), paid("ZY2", 9, 1)});
  CHECK(office.found() == "ZY1 AGREES; ZY2 EXPLAINED_BY_SHIFT shift+1");
}

TEST_CASE("what WeChat counted in the gap of a restored backup is named as that") {
  Office office;
  office.told({paid("ZY1", 100, 0)});
  office.spend(1, 2);
  office.wait(20min);
  office.told({paid("ZY1", 100, 2)});
  core::WallTime const copied = office.tested.now();
  office.tested.close();
  {
    storage::Connection connection(office.tested.path(), storage::Access::read_write);
    connection.run("UPDATE meta SET copied_at = " + std::to_string(core::unix_ms(copied)));
  }
  office.tested.pass(2h);
  office.tested.reopen();
  office.told({paid("ZY1", 100, 7)});
  office.wait(7min);
  office.spend(3, 1);
  office.wait(20min);
  office.told({paid("ZY1", 100, 9)});
  CHECK(office.found() == "ZY1 WECHAT_COUNTS_MORE gap+5 ?1");
}

}  // namespace onetap::tests
