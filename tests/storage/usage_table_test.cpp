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
    bool const kept = await(tested.loop(), tested.thread().record_usage(std::move(snapshot)));
    tested.pass(1s);
    return kept;
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

}  // namespace onetap::tests
