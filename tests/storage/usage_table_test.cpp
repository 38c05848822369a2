#include <string>
#include <vector>

#include "core/billing/usage.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

namespace admin = core::admin;
using core::PackUsage;
using namespace std::chrono_literals;

constexpr char const* appid = "wx0000000000000001";

/// A ledger that is told WeChat's figures, and spends codes meanwhile.
class Office {
 public:
  Office() : speaker(tested) {}

  bool told(std::vector<PackUsage> packs) {
    core::UsageSnapshot snapshot{
        .appid = appid, .kind = core::Kind::quick, .packs = std::move(packs), .as_of = tested.now()};
    auto const kept = await(tested.loop(), tested.thread().record_usage(std::move(snapshot)));
    tested.pass(1s);
    last = kept.value_or(core::UsageKept{});
    return kept.has_value();
  }
  std::int64_t doubtful(int code) {
    core::AttemptId const attempt = speaker.started(code, caller(1));
    speaker.settle_as(attempt, State::in_doubt, Cause::timeout);
    return attempt.consumption;
  }
  void spend(int first_code, int count) {
    for (int code = first_code; code < first_code + count; ++code)
      speaker.settle_ok(speaker.started(code, caller(1)));
    tested.pass(1s);
  }
  std::string text(std::string const& sql) {
    auto reports = storage::Reports::open(tested.path());
    if (!reports) FAIL(reports.error());
    std::string all;
    for (auto const& row : reports->query(sql, {}).rows) {
      if (!all.empty()) all += "; ";
      for (std::size_t i = 0; i < row.size(); ++i) all += (i == 0 ? "" : " ") + storage::to_text(row[i]);
    }
    return all;
  }
  std::string packs() {
    return text(
        "SELECT source, coalesce(wx_pkg_id, '-'), units, available, used, used_before FROM v_packs "
        "WHERE kind = 'quick' ORDER BY pack_id");
  }
  std::string verdicts() {
    return text(
        "SELECT wx_pkg_id, wx_used, used_before, our_used, verdict FROM v_reconciliation "
        "ORDER BY wx_pkg_id");
  }
  ~Office() { CHECK(tested.violations().empty()); }

  SqliteUnderTest tested;
  Speaker speaker;
  core::UsageKept last;
};

PackUsage trial(std::int64_t used) { return {.pkg_id = "", .all = 1000, .used = used}; }
PackUsage paid(std::string id, std::int64_t all, std::int64_t used,
               PackUsage::Status status = PackUsage::Status::in_force) {
  return {.pkg_id = std::move(id), .status = status, .all = all, .used = used};
}

}  // namespace

TEST_CASE("packs come into being by WeChat's figures, with what it had counted before") {
  Office office;
  CHECK(office.told({trial(300), paid("ZY1", 50, 0)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; trial  1000 700 0 300; paid ZY1 50 50 0 0");
  CHECK(office.verdicts() == " 300 300 0 AGREES; ZY1 0 0 0 AGREES");
}

TEST_CASE("the next figures are compared with what was booked since, and nothing is added twice") {
  Office office;
  CHECK(office.told({trial(300)}));
  office.spend(1, 7);
  CHECK(office.told({trial(307)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; trial  1000 693 7 300");
  CHECK(office.verdicts() == " 307 300 7 AGREES");
  CHECK(office.told({trial(309)}));
  CHECK(office.verdicts() == " 309 300 7 WECHAT_COUNTS_MORE");
  CHECK(office.text("SELECT count(*) FROM usage_snapshot") == "3");
}

TEST_CASE("units that were booked before WeChat could be asked move to the pack that it names") {
  Office office;
  office.spend(1, 4);
  CHECK(office.packs() == "overdraft - 0 0 4 0");
  CHECK(office.told({trial(6)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; trial  1000 994 4 2");
  CHECK(office.verdicts() == " 6 2 4 AGREES");
}

TEST_CASE("a pack that an operator has added gets WeChat's name, and stays one") {
  Office office;
  admin::Command adding{.act = admin::AddPack{.appid = appid, .units = 50, .price_micro_yuan = 1'000'000},
                        .at = office.tested.now()};
  REQUIRE(await(office.tested.loop(), office.tested.thread().administer(std::move(adding))).has_value());
  office.spend(1, 3);
  CHECK(office.told({paid("ZY1", 50, 3)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 50 47 3 0");
  CHECK(office.verdicts() == "ZY1 3 0 3 AGREES");
  CHECK(office.told({paid("ZY1", 50, 3), paid("ZY2", 50, 0)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 50 47 3 0; paid ZY2 50 50 0 0");
}

TEST_CASE("a pack that is over and was never known is left out; one that was known is followed to its end") {
  Office office;
  CHECK(office.told({paid("old", 50, 50, PackUsage::Status::over), paid("ZY1", 10, 0)}));
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 10 10 0 0");
  CHECK(office.told({paid("ZY1", 10, 2, PackUsage::Status::over)}));
  CHECK(office.verdicts() == "ZY1 2 0 0 WECHAT_COUNTS_MORE");
}

TEST_CASE("the end of a pack follows WeChat, and what is left then expires") {
  Office office;
  PackUsage pack = paid("ZY1", 10, 0);
  pack.starts = std::chrono::floor<std::chrono::seconds>(office.tested.now());
  pack.ends = *pack.starts + 1h;
  CHECK(office.told({pack}));
  pack.ends = *pack.starts + 2h;
  CHECK(office.told({pack}));
  office.tested.pass(90min);
  office.tested.maintain();
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 10 10 0 0");
  office.tested.pass(1h);
  office.tested.maintain();
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 10 0 0 0");
}

TEST_CASE("a pack that WeChat calls over takes no more codes; one in force is not ended by a date") {
  Office office;
  CHECK(office.told({paid("ZY1", 10, 0), paid("ZY2", 10, 0)}));
  PackUsage ended = paid("ZY2", 10, 0);
  ended.ends = std::chrono::floor<std::chrono::seconds>(office.tested.now()) - 1h;
  CHECK(office.told({paid("ZY1", 10, 10, PackUsage::Status::over), ended}));
  office.tested.maintain();
  office.spend(1, 1);
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 10 0 0 0; paid ZY2 10 9 1 0");
}

TEST_CASE(
    "an operator's pack is not taken for one that is over, nor for one of two that fit, nor of another end") {
  Office office;
  auto const add = [&](std::optional<core::WallTime> ends) {
    admin::Command adding{.act = admin::AddPack{.appid = appid, .units = 50, .ends = ends},
                          .at = office.tested.now()};
    REQUIRE(await(office.tested.loop(), office.tested.thread().administer(std::move(adding))).has_value());
  };
  SUBCASE("over") {
    add(std::nullopt);
    CHECK(office.told({paid("old", 50, 50, PackUsage::Status::over)}));
  }
  SUBCASE("two") {
    add(std::nullopt);
    add(std::nullopt);
    CHECK(office.told({paid("ZY1", 50, 0)}));
  }
  SUBCASE("another end") {
    add(office.tested.now() + 24h * 300);
    PackUsage pack = paid("ZY1", 50, 0);
    pack.ends = std::chrono::floor<std::chrono::seconds>(office.tested.now()) + 24h * 30;
    CHECK(office.told({pack}));
  }
  CHECK(office.text("SELECT coalesce(max(wx_pkg_id), '-') FROM pack WHERE id = 3") == "-");
}

TEST_CASE("figures of a size that a pack never had are told as that") {
  Office office;
  CHECK(office.told({paid("ZY1", 10, 0)}));
  CHECK(office.told({paid("ZY1", 12, 0)}));
  CHECK(office.verdicts() == "ZY1 0 0 0 SIZE_MISMATCH");
}

TEST_CASE(
    "what has not changed within the hour is not written again; of a pack that is over, while WeChat repeats "
    "it") {
  Office office;
  auto const snapshots = [&](std::string const& pack) {
    return office.text(
        "SELECT count(*) FROM usage_snapshot AS s JOIN pack AS p ON p.id = s.pack WHERE wx_pkg_id = '" +
        pack + "'");
  };
  std::vector<PackUsage> const packs{paid("ZY1", 10, 0), paid("ZY2", 10, 0)};
  CHECK(office.told(packs));
  CHECK(office.told(packs));
  CHECK(snapshots("ZY1") == "1");
  office.spend(1, 1);
  CHECK(office.told(packs));
  CHECK(snapshots("ZY1") == "2");
  std::vector<PackUsage> const one_is_over{paid("ZY1", 10, 1), paid("ZY2", 10, 0, PackUsage::Status::over)};
  CHECK(office.told(one_is_over));
  CHECK(snapshots("ZY2") == "3");
  office.spend(2, 1);
  CHECK(office.told(one_is_over));
  CHECK(snapshots("ZY1") == "4");
  CHECK(snapshots("ZY2") == "3");
  office.tested.pass(1h);
  CHECK(office.told(one_is_over));
  CHECK(snapshots("ZY2") == "4");
}

TEST_CASE("an account without packs has none here either") {
  Office office;
  CHECK(office.told({}));
  CHECK(office.text("SELECT count(*) FROM usage_snapshot") == "0");
}

TEST_CASE("units of a pack that has expired come back when WeChat extends it") {
  Office office;
  PackUsage pack = paid("ZY1", 10, 0);
  pack.starts = std::chrono::floor<std::chrono::seconds>(office.tested.now());
  pack.ends = *pack.starts + 1h;
  CHECK(office.told({pack}));
  office.spend(1, 2);
  office.tested.pass(2h);
  office.tested.maintain();
  pack.used = 2;
  pack.status = PackUsage::Status::over;
  CHECK(office.told({pack}));
  CHECK(office.text("SELECT available, used, expired FROM v_packs WHERE wx_pkg_id = 'ZY1'") == "0 2 8");
  pack.status = PackUsage::Status::in_force;
  pack.ends = *pack.starts + 24h;
  CHECK(office.told({pack}));
  CHECK(office.text("SELECT available, used, expired FROM v_packs WHERE wx_pkg_id = 'ZY1'") == "8 2 0");
  office.tested.maintain();
  office.spend(3, 1);
  CHECK(office.text("SELECT available, used, expired FROM v_packs WHERE wx_pkg_id = 'ZY1'") == "7 3 0");
  CHECK(office.text("SELECT kind, from_account, to_account, units, note FROM entry WHERE kind = 'return'") ==
        "return expired available 8 WeChat has extended the pack");
}

TEST_CASE("what WeChat counts of a pack that was bought since is no opening: it leaked") {
  Office office;
  CHECK(office.told({trial(1000)}));
  SUBCASE("by its start") {
    office.tested.pass(1min);
    PackUsage pack = paid("ZY1", 50, 3);
    pack.starts = std::chrono::floor<std::chrono::seconds>(office.tested.now());
    CHECK(office.told({trial(1000), pack}));
  }
  SUBCASE("because WeChat did not name it before") { CHECK(office.told({trial(1000), paid("ZY1", 50, 3)})); }
  CHECK(office.verdicts() == " 1000 1000 0 AGREES; ZY1 3 0 0 WECHAT_COUNTS_MORE");
}

TEST_CASE("a pack that started before the ledger opens with what WeChat had counted, whenever it is named") {
  Office office;
  CHECK(office.told({trial(1000)}));
  PackUsage pack = paid("ZY1", 50, 3);
  pack.starts = std::chrono::floor<std::chrono::seconds>(office.tested.now()) - 24h;
  CHECK(office.told({trial(1000), pack}));
  CHECK(office.verdicts() == " 1000 1000 0 AGREES; ZY1 3 3 0 AGREES");
}

TEST_CASE(
    "what WeChat's figures lacked at first sight is no leak ten minutes later, and hides none afterwards") {
  Office office;
  SUBCASE("what others had burnt") {
    CHECK(office.told({trial(300)}));
    office.tested.pass(5min);
    CHECK(office.told({trial(304)}));
    CHECK(office.verdicts() == " 304 300 0 WECHAT_COUNTS_MORE");
    office.tested.pass(6min);
    CHECK(office.told({trial(304)}));
    CHECK(office.verdicts() == " 304 304 0 AGREES");
    CHECK(office.told({trial(305)}));
    CHECK(office.verdicts() == " 305 304 0 WECHAT_COUNTS_MORE");
  }
  SUBCASE("what came by here before WeChat was asked") {
    office.spend(1, 4);
    CHECK(office.told({trial(5)}));  // in truth 6: two before, and our 4
    CHECK(office.verdicts() == " 5 1 4 AGREES");
    office.tested.pass(11min);
    CHECK(office.told({trial(6)}));
    CHECK(office.verdicts() == " 6 2 4 AGREES");
  }
  SUBCASE("while codes come, of which WeChat lacks some at each time") {
    CHECK(office.told({trial(300)}));  // in truth 303
    office.tested.pass(11min);
    office.spend(1, 3);
    CHECK(office.told({trial(303)}));
    CHECK(office.verdicts() == " 303 300 3 AGREES");
    office.tested.pass(11min);
    CHECK(office.told({trial(306)}));
    CHECK(office.verdicts() == " 306 303 3 AGREES");
    CHECK(office.told({trial(307)}));
    CHECK(office.verdicts() == " 307 303 3 WECHAT_COUNTS_MORE");
  }
  SUBCASE("but not when WeChat is asked again much later") {
    CHECK(office.told({trial(300)}));
    office.tested.pass(21min);
    CHECK(office.told({trial(304)}));
    CHECK(office.verdicts() == " 304 300 0 WECHAT_COUNTS_MORE");
  }
}

TEST_CASE(
    "a pack that the ledger does not take is named with the reason; one over and unknown is nothing to "
    "tell") {
  Office office;
  CHECK(office.told({paid("ZY0", 0, 0), paid("old", 50, 50, PackUsage::Status::over), paid("ZY1", 5, 0)}));
  REQUIRE(office.last.left_out.size() == 1);
  CHECK(office.last.left_out.front().pkg_id == "ZY0");
  CHECK(office.last.left_out.front().why == "units must be 1 to 1000000000");
  CHECK(office.packs() == "overdraft - 0 0 0 0; paid ZY1 5 5 0 0");
}

TEST_CASE("doubt of more than two days is lost when WeChat's figures charge all that is in doubt") {
  Office office;
  CHECK(office.told({trial(0)}));
  office.spend(1, 3);
  std::int64_t const first = office.doubtful(4);
  std::int64_t const second = office.doubtful(5);
  auto const states = [&] {
    return office.text("SELECT group_concat(state) FROM consumption WHERE id >= " + std::to_string(first));
  };
  office.tested.pass(47h);
  CHECK(office.told({trial(5)}));
  CHECK(states() == "in_doubt,in_doubt");
  office.tested.pass(1h);
  SUBCASE("all are charged") {
    CHECK(office.told({trial(5)}));
    CHECK(office.last.doubts_lost == std::vector<std::int64_t>{first, second});
    CHECK(states() == "lost,lost");
    CHECK(office.text("SELECT DISTINCT note FROM entry WHERE kind = 'resolve_lost'") ==
          "WeChat's figures charge all codes in doubt: 2 units without a number, 2 in doubt");
    CHECK(office.verdicts() == " 5 0 3 AGREES");
  }
  SUBCASE("one of them is, and nobody knows which") {
    CHECK(office.told({trial(4)}));
    CHECK(states() == "in_doubt,in_doubt");
  }
  SUBCASE("a younger one might be what was charged") {
    static_cast<void>(office.doubtful(6));
    CHECK(office.told({trial(5)}));
    CHECK(states() == "in_doubt,in_doubt,in_doubt");
    CHECK(office.told({trial(6)}));
    CHECK(states() == "lost,lost,in_doubt");
  }
  SUBCASE("a pack has another size: then only a figure that is just the doubt says it") {
    PackUsage pack = trial(6);
    pack.all = 2000;
    CHECK(office.told({pack}));
    CHECK(states() == "in_doubt,in_doubt");
    pack.used = 5;
    CHECK(office.told({pack}));
    CHECK(states() == "lost,lost");
  }
}

}  // namespace onetap::tests
