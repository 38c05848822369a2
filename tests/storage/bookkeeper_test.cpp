#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <random>

#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

namespace admin = core::admin;
using namespace std::chrono_literals;

/// A ledger and its operator.
class Office {
 public:
  Office() : speaker(tested) {}

  admin::Answer act(decltype(admin::Command::act) what) {
    admin::Command command{.act = std::move(what), .at = tested.now()};
    return await(tested.loop(), tested.thread().administer(std::move(command)));
  }
  admin::Done done(decltype(admin::Command::act) what) {
    admin::Answer answer = act(std::move(what));
    if (!answer) FAIL(answer.error().sentence);
    return *answer;
  }
  admin::Refusal::Kind refused(decltype(admin::Command::act) what) {
    admin::Answer const answer = act(std::move(what));
    REQUIRE_FALSE(answer.has_value());
    CHECK_FALSE(answer.error().sentence.empty());
    return answer.error().kind;
  }
  admin::Done add(std::int64_t units, std::optional<std::int64_t> price_micro_yuan) {
    admin::AddPack pack;
    pack.appid = "wx0000000000000001";
    pack.units = units;
    pack.price_micro_yuan = price_micro_yuan;
    return done(pack);
  }
  void spend(int first_code, int count) {
    for (int code = first_code; code < first_code + count; ++code)
      speaker.settle_ok(speaker.started(code, caller(1)));
  }
  std::int64_t doubtful(int code) {
    core::AttemptId const attempt = speaker.started(code, caller(1));
    speaker.settle_as(attempt, State::in_doubt, Cause::timeout);
    return attempt.consumption;
  }

  storage::Table query(std::string_view sql) {
    auto reports = storage::Reports::open(tested.path());
    if (!reports) FAIL(reports.error());
    return reports->query(sql, {});
  }
  std::string value(std::string const& sql) { return storage::to_text(query(sql).rows.at(0).at(0)); }
  /// "units/micro-yuan" of an account.
  std::string balance(std::int64_t pack, std::string const& account) {
    return value("SELECT coalesce(max(units || '/' || micro_yuan), '0/0') FROM pack_balance WHERE pack = " +
                 std::to_string(pack) + " AND account = '" + account + "'");
  }
  void check_verified() {
    for (std::string const& violation : tested.violations()) FAIL_CHECK(violation);
    // What the monthly view promises of each of its lines.
    CHECK(value("SELECT count(*) FROM v_monthly"
                " WHERE opening + bought <> used + lost + doubt + expired + closing") == "0");
    for (std::string const view : {"v_daily", "v_scenes"}) {
      CAPTURE(view);
      CHECK(value(months("substr(day, 1, 7)", view)) == value(months("month", "v_monthly")));
    }
  }

  /// What each month cost, according to a view.
  static std::string months(std::string const& month, std::string const& view) {
    return "SELECT group_concat(line, '; ') FROM (SELECT app_id || ' ' || kind || ' ' || " + month +
           " || ' ' || CAST(round(sum(amount_yuan) * 1000000) AS INTEGER) AS line FROM " + view +
           " GROUP BY app_id, kind, " + month + " HAVING round(sum(amount_yuan) * 1000000) <> 0" +
           " ORDER BY line)";
  }

  SqliteUnderTest tested;
  Speaker speaker;
};

constexpr std::int64_t overdraft_pack = 1;

}  // namespace

TEST_CASE("a doubt that was charged is lost, and its unit with it") {
  Office office;
  std::int64_t const id = office.doubtful(1);
  admin::Done const done =
      office.done(admin::Resolve{.consumption = id, .as = State::lost, .note = "the bill"});
  CHECK(done.id == id);
  CHECK(office.value("SELECT state FROM consumption") == "lost");
  CHECK(office.value("SELECT note FROM entry WHERE kind = 'resolve_lost'") == "the bill");
  CHECK(office.balance(overdraft_pack, "lost") == "1/30000");
  CHECK(office.balance(overdraft_pack, "doubt") == "0/0");
  CHECK(stored(office.speaker.begin(1, caller(1))).state == State::lost);
  CHECK(is_charged(office.speaker.begin(1, caller(2))));
  office.check_verified();
}

TEST_CASE("a doubt that was not charged gives its unit back, and the code is never sent again") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, 300'000).id;
  std::int64_t const id = office.doubtful(2);
  CHECK(office.balance(pack, "available") == "8/240000");
  office.done(admin::Resolve{.consumption = id, .as = State::free, .note = "usage did not move"});
  CHECK(office.balance(pack, "available") == "9/270000");
  CHECK(office.balance(pack, "doubt") == "0/0");
  CHECK(stored(office.speaker.begin(2, caller(1))).state == State::free);
  auto const answer = office.speaker.begin(2, caller(2));
  CHECK(is_not_yours(answer, false));
  CHECK_FALSE(is_charged(answer));
  office.check_verified();
}

TEST_CASE("only a doubt is resolved, once, as lost or free, and with a note") {
  Office office;
  std::int64_t const id = office.doubtful(1);
  CHECK(office.refused(admin::Resolve{.consumption = id, .as = State::lost, .note = ""}) ==
        admin::Refusal::Kind::invalid);
  CHECK(office.refused(admin::Resolve{.consumption = id, .as = State::ok, .note = "n"}) ==
        admin::Refusal::Kind::invalid);
  CHECK(office.refused(admin::Resolve{.consumption = 99, .as = State::lost, .note = "n"}) ==
        admin::Refusal::Kind::not_found);
  CHECK(office.value("SELECT state FROM consumption") == "in_doubt");
  office.done(admin::Resolve{.consumption = id, .as = State::free, .note = "n"});
  CHECK(office.refused(admin::Resolve{.consumption = id, .as = State::lost, .note = "n"}) ==
        admin::Refusal::Kind::conflict);
  office.check_verified();
}

TEST_CASE("a resolved code is forgotten like any other") {
  Office office;
  std::int64_t const id = office.doubtful(1);
  office.done(admin::Resolve{.consumption = id, .as = State::lost, .note = "n"});
  office.tested.pass(2h);
  office.tested.maintain();
  CHECK(is_fresh(office.speaker.find(1, caller(1))));
}

TEST_CASE("units that were booked on the overdraft move to the pack when it is seen") {
  Office office;
  office.spend(1, 3);
  std::int64_t const doubt = office.doubtful(4);
  admin::Done const added = office.add(10, 250'000);
  CHECK(added.count == 3);
  CHECK(office.balance(added.id, "used") == "3/75000");
  CHECK(office.balance(added.id, "available") == "7/175000");
  CHECK(office.balance(overdraft_pack, "used") == "0/0");
  CHECK(office.balance(overdraft_pack, "doubt") == "1/30000");
  office.check_verified();

  SUBCASE("one in doubt follows when it is lost") {
    CHECK(office.done(admin::Resolve{.consumption = doubt, .as = State::lost, .note = "n"}).count == 1);
    CHECK(office.balance(added.id, "lost") == "1/25000");
    CHECK(office.balance(overdraft_pack, "lost") == "0/0");
    CHECK(office.balance(overdraft_pack, "source") == "0/0");
  }
  SUBCASE("one in doubt goes back to where it came from when it was free") {
    office.done(admin::Resolve{.consumption = doubt, .as = State::free, .note = "n"});
    CHECK(office.balance(overdraft_pack, "source") == "0/0");
    CHECK(office.balance(added.id, "available") == "7/175000");
  }
  office.check_verified();
}

TEST_CASE("a pack smaller than the overdraft takes what it can") {
  Office office;
  office.spend(1, 5);
  std::int64_t const pack = office.add(2, 100).id;
  CHECK(office.balance(pack, "used") == "2/100");
  CHECK(office.balance(overdraft_pack, "used") == "3/90000");
  std::int64_t const second = office.add(10, 1'000).id;
  CHECK(office.balance(second, "used") == "3/300");
  CHECK(office.balance(overdraft_pack, "used") == "0/0");
  office.check_verified();
}

TEST_CASE("what WeChat had counted before is opening, less what the overdraft had taken") {
  Office office;
  office.spend(1, 3);
  admin::AddPack pack;
  pack.appid = "wx0000000000000001";
  pack.units = 100;
  pack.used_before = 10;
  pack.price_micro_yuan = 3'000'000;
  std::int64_t const id = office.done(pack).id;
  CHECK(office.balance(id, "used") == "3/90000");
  CHECK(office.balance(id, "before") == "7/210000");
  CHECK(office.balance(id, "available") == "90/2700000");
  office.check_verified();
}

TEST_CASE("what the overdraft had taken for another pack is no part of what WeChat counted of this one") {
  Office office;
  office.spend(1, 3);
  admin::AddPack ahead;  // of which nothing is open yet
  ahead.appid = "wx0000000000000001";
  ahead.units = 2;
  ahead.price_micro_yuan = 100;
  ahead.starts = office.tested.now() + 24h;
  ahead.ends = office.tested.now() + 48h;
  std::int64_t const first = office.done(ahead).id;
  office.tested.pass(24h);
  admin::AddPack pack;  // ends later, so the one bought ahead takes its units first
  pack.appid = "wx0000000000000001";
  pack.units = 100;
  pack.used_before = 10;
  pack.price_micro_yuan = 10'000;
  admin::Done const added = office.done(pack);
  CHECK(added.count == 3);
  CHECK(office.balance(first, "used") == "2/100");
  CHECK(office.balance(added.id, "used") == "1/100");
  CHECK(office.balance(added.id, "before") == "9/900");
  CHECK(added.sentence.find(", 1 of them moved") != std::string::npos);
  office.check_verified();
}

TEST_CASE("a pack bought ahead takes the overdraft's units when it begins") {
  Office office;
  admin::AddPack ahead;
  ahead.appid = "wx0000000000000001";
  ahead.units = 4;
  ahead.price_micro_yuan = 400;
  ahead.starts = office.tested.now() + 24h;
  std::int64_t const pack = office.done(ahead).id;
  office.spend(1, 3);
  office.tested.pass(24h - 1ms);
  office.tested.maintain();
  CHECK(office.balance(overdraft_pack, "used") == "3/90000");
  office.tested.pass(1ms);
  office.tested.maintain();
  CHECK(office.balance(overdraft_pack, "used") == "0/0");
  CHECK(office.balance(pack, "used") == "3/300");
  office.spend(4, 2);  // the running server knows what is left
  CHECK(office.balance(pack, "used") == "4/400");
  CHECK(office.balance(overdraft_pack, "used") == "1/30000");
  office.check_verified();
}

TEST_CASE("a pack that is refused leaves its app unknown") {
  Office office;
  admin::AddPack pack;
  pack.appid = "wx-mistyped";
  CHECK(office.refused(pack) == admin::Refusal::Kind::invalid);
  CHECK(office.value("SELECT count(*) FROM app") == "0");
  CHECK(office.value("SELECT count(*) FROM pack") == "0");
  pack.units = 1;
  office.done(pack);
  CHECK(office.value("SELECT appid FROM app") == "wx-mistyped");
  office.check_verified();
}

TEST_CASE("a month in which nothing moved shows what a pack carries over") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, 1'000).id;
  office.tested.pass(24h * 70);  // over December into January
  office.spend(2, 1);
  std::int64_t const later = office.add(5, 1'000).id;
  auto const lines = [&](std::int64_t of) {
    return office.value(
        "SELECT group_concat(month || ' ' || opening || ' ' || bought || ' ' || used || ' ' || closing, '; ')"
        " FROM v_monthly WHERE pack_id = " +
        std::to_string(of));
  };
  CHECK(lines(pack) == "2124-11 0 10 1 9; 2124-12 9 0 0 9; 2125-01 9 0 1 8");
  CHECK(lines(later) == "2125-01 0 5 0 5");
  CHECK(lines(overdraft_pack) == "2124-11 0 0 0 0");
  office.check_verified();
}

TEST_CASE("a leak is lost without a code, at what the pack's units cost, and never without a note") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, 300'000).id;
  using Kind = admin::Refusal::Kind;
  CHECK(office.refused(admin::BookLeak{.pack = pack, .units = 2, .note = ""}) == Kind::invalid);
  CHECK(office.refused(admin::BookLeak{.pack = pack, .units = 0, .note = "n"}) == Kind::invalid);
  CHECK(office.refused(admin::BookLeak{.pack = pack, .units = 10, .note = "n"}) == Kind::conflict);
  CHECK(office.refused(admin::BookLeak{.pack = 99, .units = 1, .note = "n"}) == Kind::not_found);
  CHECK(office.refused(admin::BookLeak{.pack = overdraft_pack, .units = 1, .note = "n"}) == Kind::conflict);
  admin::Done const done = office.done(admin::BookLeak{.pack = pack, .units = 2, .note = "double taps"});
  CHECK(done.id == pack);
  CHECK(done.count == 2);
  CHECK(office.balance(pack, "available") == "7/210000");
  CHECK(office.balance(pack, "lost") == "2/60000");
  CHECK(office.value("SELECT note FROM entry WHERE kind = 'leak'") == "double taps");
  office.check_verified();
}

TEST_CASE("a leak of a pack that has expired takes what expired") {
  Office office;
  admin::AddPack act{.appid = "wx0000000000000001", .units = 10, .price_micro_yuan = 300'000};
  act.ends = office.tested.now() + 1h;
  office.spend(1, 1);
  std::int64_t const pack = office.done(act).id;
  office.tested.pass(2h);
  office.tested.maintain();
  CHECK(office.balance(pack, "expired") == "9/270000");
  office.done(admin::BookLeak{.pack = pack, .units = 2, .note = "the bill"});
  CHECK(office.balance(pack, "expired") == "7/210000");
  CHECK(office.balance(pack, "lost") == "2/60000");
  CHECK(office.balance(pack, "available") == "0/0");
  office.check_verified();
}

TEST_CASE("a refund takes what is left of a pack, or a part of it, and its money") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, 300'000).id;
  using Kind = admin::Refusal::Kind;
  CHECK(office.refused(admin::BookRefund{.pack = pack, .units = 1, .note = ""}) == Kind::invalid);
  CHECK(office.refused(admin::BookRefund{.pack = pack, .units = 10, .note = "n"}) == Kind::conflict);
  CHECK(office.refused(admin::BookRefund{.pack = 99, .units = {}, .note = "n"}) == Kind::not_found);
  CHECK(office.refused(admin::BookRefund{.pack = overdraft_pack, .units = {}, .note = "n"}) ==
        Kind::conflict);
  CHECK(office.done(admin::BookRefund{.pack = pack, .units = 4, .note = "agreed"}).count == 4);
  CHECK(office.balance(pack, "refunded") == "4/120000");
  CHECK(office.done(admin::BookRefund{.pack = pack, .units = {}, .note = "the rest"}).count == 5);
  CHECK(office.balance(pack, "available") == "0/0");
  CHECK(office.balance(pack, "used") == "1/30000");
  CHECK(office.refused(admin::BookRefund{.pack = pack, .units = {}, .note = "n"}) == Kind::conflict);
  office.check_verified();
}

TEST_CASE("packs that can't be are refused") {
  Office office;
  office.spend(1, 1);
  admin::AddPack good;
  good.appid = "wx0000000000000001";
  good.units = 1;
  auto const changed = [&](auto change) {
    admin::AddPack bad = good;
    change(bad);
    return office.refused(bad);
  };
  using Kind = admin::Refusal::Kind;
  CHECK(changed([](admin::AddPack& pack) { pack.appid = ""; }) == Kind::invalid);
  CHECK(changed([](admin::AddPack& pack) { pack.units = 0; }) == Kind::invalid);
  CHECK(changed([](admin::AddPack& pack) { pack.used_before = 2; }) == Kind::invalid);
  CHECK(changed([](admin::AddPack& pack) { pack.price_micro_yuan = -1; }) == Kind::invalid);
  CHECK(changed([&](admin::AddPack& pack) {
          pack.starts = office.tested.now();
          pack.ends = office.tested.now();
        }) == Kind::invalid);
  CHECK(changed([&](admin::AddPack& pack) { pack.ends = office.tested.now(); }) == Kind::invalid);
  good.wx_pkg_id = "P1";
  office.done(good);
  CHECK(changed([](admin::AddPack&) {}) == Kind::conflict);
  good.wx_pkg_id = "";
  good.trial = true;
  office.done(good);
  CHECK(changed([](admin::AddPack&) {}) == Kind::conflict);
  office.check_verified();
}

TEST_CASE("a price that becomes known later leaves finished months as they were") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, std::nullopt).id;  // booked at 0.03 yuan each
  office.spend(2, 3);
  std::string const november =
      "SELECT group_concat(amount_yuan) FROM v_monthly WHERE month = '2124-11'"
      " AND pack_id = " +
      std::to_string(pack);
  CHECK(office.value(november) == "0.12");
  office.tested.pass(24h * 15);
  office.done(admin::PricePack{.pack = pack, .price_micro_yuan = 200'000});
  CHECK(office.value(november) == "0.12");
  CHECK(office.value("SELECT amount_yuan FROM v_monthly WHERE month = '2124-12'") == "-0.04");
  CHECK(office.balance(pack, "available") == "6/120000");
  CHECK(office.balance(pack, "used") == "4/80000");
  CHECK(office.value("SELECT price_yuan FROM v_packs WHERE price_known AND source = 'paid'") == "0.2");
  office.check_verified();
}

TEST_CASE("a price that becomes known later reaches the units in doubt, too") {
  Office office;
  office.spend(1, 1);
  auto const spent = [&] { return office.value("SELECT round(sum(amount_yuan), 6) FROM v_monthly"); };
  SUBCASE("beside used ones") {
    std::int64_t const pack = office.add(10, std::nullopt).id;
    office.spend(2, 4);
    std::vector<std::int64_t> doubts;
    for (int code = 6; code <= 10; ++code) doubts.push_back(office.doubtful(code));
    office.done(admin::PricePack{.pack = pack, .price_micro_yuan = 100'000'000});
    CHECK(office.balance(pack, "used") == "5/50000000");
    CHECK(office.balance(pack, "doubt") == "5/50000000");
    office.done(admin::Resolve{.consumption = doubts.at(0), .as = State::lost, .note = "n"});
    CHECK(office.balance(pack, "lost") == "1/10000000");
    office.done(admin::Resolve{.consumption = doubts.at(1), .as = State::free, .note = "n"});
    CHECK(office.balance(pack, "available") == "1/10000000");
    REQUIRE(office.speaker.rescue(8, caller(1), 100));
    CHECK(office.balance(pack, "used") == "6/60000000");
    CHECK(spent() == "70");
  }
  SUBCASE("when all are in doubt, and lost") {
    std::int64_t const pack = office.add(3, std::nullopt).id;
    std::vector<std::int64_t> const doubts{office.doubtful(2), office.doubtful(3)};
    office.done(admin::PricePack{.pack = pack, .price_micro_yuan = 100'000'000});
    for (std::int64_t const doubt : doubts)
      office.done(admin::Resolve{.consumption = doubt, .as = State::lost, .note = "n"});
    CHECK(spent() == "100");
  }
  SUBCASE("though it is less than they were booked at") {
    std::int64_t const pack = office.add(2, std::nullopt).id;
    std::int64_t const doubt = office.doubtful(2);
    office.done(admin::PricePack{.pack = pack, .price_micro_yuan = 1});
    office.done(admin::Resolve{.consumption = doubt, .as = State::lost, .note = "n"});
    CHECK(spent() == "0.000001");
  }
  office.check_verified();
}

TEST_CASE("days and scenes cost what the statement says, estimated or not") {
  Office office;
  office.spend(1, 1);
  std::int64_t const pack = office.add(10, std::nullopt).id;
  office.spend(2, 4);
  auto const days = [&] {
    return office.value(
        "SELECT group_concat(day || ' ' || amount_yuan || ' ' || amount_estimated_yuan, '; ')"
        " FROM v_daily");
  };
  CHECK(days() == "2124-11-22 0.15 0.15");
  office.tested.pass(24h);
  office.done(admin::PricePack{.pack = pack, .price_micro_yuan = 100'000'000});
  CHECK(days() == "2124-11-22 0.15 0.0; 2124-11-23 49.85 0.0");
  CHECK(office.value("SELECT sum(amount_yuan) FROM v_scenes WHERE client_env IS NULL") == "49.85");
  CHECK(office.value("SELECT amount_yuan FROM v_monthly WHERE pack_id = " + std::to_string(pack)) == "50");
  office.check_verified();
}

TEST_CASE("a price is for bought packs only, and within bounds") {
  Office office;
  office.spend(1, 1);
  CHECK(office.refused(admin::PricePack{.pack = overdraft_pack, .price_micro_yuan = 1}) ==
        admin::Refusal::Kind::conflict);
  CHECK(office.refused(admin::PricePack{.pack = 99, .price_micro_yuan = 1}) ==
        admin::Refusal::Kind::not_found);
  std::int64_t const pack = office.add(2, std::nullopt).id;
  constexpr std::int64_t price_max = 1'000'000'000'000'000;
  for (std::int64_t const price :
       {std::int64_t{-1}, price_max + 1, std::numeric_limits<std::int64_t>::max()}) {
    CHECK(office.refused(admin::PricePack{.pack = pack, .price_micro_yuan = price}) ==
          admin::Refusal::Kind::invalid);
  }
  office.done(admin::PricePack{.pack = pack, .price_micro_yuan = price_max});
  office.check_verified();
}

TEST_CASE("what is left of a pack expires with it") {
  Office office;
  office.spend(1, 1);
  admin::AddPack pack;
  pack.appid = "wx0000000000000001";
  pack.units = 10;
  pack.price_micro_yuan = 1'000;
  pack.ends = office.tested.now() + 24h;
  std::int64_t const id = office.done(pack).id;
  office.spend(2, 2);
  office.tested.pass(24h - 1ms);
  office.tested.maintain();
  CHECK(office.balance(id, "expired") == "0/0");
  office.tested.pass(1ms);
  office.tested.maintain();
  CHECK(office.balance(id, "expired") == "7/700");
  CHECK(office.balance(id, "available") == "0/0");
  office.spend(4, 1);
  CHECK(office.balance(overdraft_pack, "used") == "1/30000");
  office.check_verified();
}

TEST_CASE("money is conserved to the micro-yuan over any history of packs and doubts") {
  constexpr unsigned seed = 20261123;
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  auto const pick = [&](int low, int high) { return std::uniform_int_distribution<>(low, high)(random); };
  for (int history = 0; history < 6; ++history) {
    Office office;
    int code = 1;
    std::vector<std::int64_t> doubts;
    std::map<std::int64_t, int> doubt_codes;
    std::map<std::int64_t, std::optional<std::int64_t>> prices;
    office.spend(code++, 1);
    for (int step = 0; step < 60; ++step) {
      int const what = pick(0, 11);
      if (what < 5) {
        office.spend(code++, 1);
      } else if (what == 5) {
        doubts.push_back(office.doubtful(code));
        doubt_codes[doubts.back()] = code++;
      } else if (what == 6 && !doubts.empty()) {
        State const as = pick(0, 1) == 0 ? State::lost : State::free;
        office.done(admin::Resolve{.consumption = doubts.back(), .as = as, .note = "n"});
        doubts.pop_back();
      } else if (what == 7) {
        std::int64_t const price = pick(0, 1'000'000);
        bool const is_known = pick(0, 1) == 0;  // or later, or never
        std::int64_t const pack = office.add(pick(1, 12), is_known ? std::optional(price) : std::nullopt).id;
        prices[pack] = is_known ? std::optional(price) : std::nullopt;
      } else if (what == 8 && !prices.empty()) {
        std::int64_t const pack =
            std::next(prices.begin(), pick(0, static_cast<int>(prices.size()) - 1))->first;
        std::int64_t const price = pick(0, 1'000'000);
        office.done(admin::PricePack{.pack = pack, .price_micro_yuan = price});
        prices[pack] = price;
      } else if (what == 9 && !doubts.empty()) {
        REQUIRE(office.speaker.rescue(doubt_codes.at(doubts.back()), caller(1), 100'000 + code++));
        doubts.pop_back();
      } else {
        office.tested.pass(24h * pick(0, 20));
      }
    }
    for (auto const& [pack, price] : prices) {
      if (!price) continue;
      CHECK(office.value("SELECT -micro_yuan FROM pack_balance WHERE account = 'source' AND pack = " +
                         std::to_string(pack)) == std::to_string(*price));
    }
    office.check_verified();
  }
}

TEST_CASE("a person is erased: keys, mask and sealed number go, the entries and the act stay") {
  Office office;
  office.spend(1, 2);
  CHECK(is_not_yours(office.speaker.find(1, caller(2)), false));
  admin::Done const done = office.done(admin::ErasePerson{.phone_key = digest_of(77), .user_key = {}});
  CHECK(done.count == 2);
  CHECK(office.value(
            "SELECT count(*) FROM consumption WHERE phone_mask IS NOT NULL OR phone_key IS NOT NULL") == "0");
  CHECK(office.value("SELECT count(*) FROM live_code WHERE sealed_number IS NOT NULL") == "0");
  CHECK(office.value("SELECT by || consumptions FROM erasure") == "phone2");
  CHECK(office.value("SELECT count(*) FROM entry") == "2");
  CHECK(is_not_yours(office.speaker.find(1, caller(1)), false));
  office.check_verified();
  CHECK(office.done(admin::ErasePerson{.phone_key = digest_of(78), .user_key = {}}).count == 0);
  CHECK(office.refused(admin::ErasePerson{}) == admin::Refusal::Kind::invalid);
}

TEST_CASE("a person is erased by a number from the codes that never brought it, too") {
  Office office;
  auto const begun = [&](int code, core::CallerKey who) {
    core::Intent intent = office.speaker.intent(code, who);
    intent.user = who;
    ledger::BeginResult const began = await(office.tested.loop(), office.tested.port().begin(intent));
    return std::get<ledger::Started>(began).attempt;
  };
  office.speaker.settle_ok(begun(1, caller(1)));
  office.speaker.settle_as(begun(2, caller(1)), State::in_doubt, Cause::timeout);
  office.speaker.settle_rejected(begun(3, caller(1)));
  office.speaker.settle_rejected(begun(4, caller(2)));  // somebody else
  core::AttemptId const open = begun(5, caller(1));
  admin::ErasePerson const person{.phone_key = digest_of(77), .user_key = {}};
  CHECK(office.refused(person) == admin::Refusal::Kind::conflict);
  office.speaker.settle_rejected(open);
  CHECK(office.done(person).count == 4);
  CHECK(office.value("SELECT group_concat(id) FROM consumption WHERE user_key IS NOT NULL") == "4");
  CHECK(office.value("SELECT consumptions FROM erasure") == "4");
  office.check_verified();
}

TEST_CASE("a person whose code was rescued is erased under the code and under the blob") {
  Office office;
  office.doubtful(1);
  REQUIRE(office.speaker.rescue(1, caller(1), 100));
  REQUIRE(is_recorded(office.speaker.record(101, caller(2))));
  CHECK(office.done(admin::ErasePerson{.phone_key = digest_of(77), .user_key = {}}).count == 2);
  CHECK(office.value(
            "SELECT count(*) FROM live_code WHERE sealed_number IS NOT NULL OR caller_key IS NOT NULL") ==
        "0");
  office.check_verified();
}

TEST_CASE("a rotation seals a number anew under its code, and a rescued one under its blob, too") {
  Office office;
  office.spend(1, 1);
  office.doubtful(2);
  REQUIRE(office.speaker.rescue(2, caller(1), 100));
  REQUIRE(is_recorded(office.speaker.record(101, caller(1))));
  std::vector<std::int64_t> rows;
  office.done(admin::RotateKey{
      .key_fingerprint = digest_of(4712),
      .reseal = [&](core::crypto::SealedField field, std::int64_t row, core::SealedBytes const& sealed) {
        if (field == core::crypto::SealedField::number) rows.push_back(row);
        return std::optional(sealed);
      }});
  std::vector<std::int64_t> expected;
  for (int const code : {1, 2, 100, 101}) expected.push_back(core::row_of(core::CodeKey{digest_of(code)}));
  std::ranges::sort(rows);
  std::ranges::sort(expected);
  CHECK(rows == expected);
}

TEST_CASE("a rotation seals anew whatever is sealed, in one commit, and is recorded") {
  Office office;
  office.spend(1, 3);
  std::vector<core::crypto::SealedField> fields;
  core::SealedBytes const anew{42};
  admin::Done const done = office.done(admin::RotateKey{
      .key_fingerprint = digest_of(4712),
      .reseal = [&](core::crypto::SealedField field, std::int64_t, core::SealedBytes const&) {
        fields.push_back(field);
        return std::optional(anew);
      }});
  CHECK(done.count == 4);
  CHECK(std::ranges::count(fields, core::crypto::SealedField::pepper) == 1);
  CHECK(std::ranges::count(fields, core::crypto::SealedField::number) == 3);
  CHECK(office.value("SELECT hex(sealed_pepper) FROM meta") == "2A");
  CHECK(office.value("SELECT count(*) FROM live_code WHERE hex(sealed_number) = '2A'") == "3");
  CHECK(office.value("SELECT count(*) FROM key_rotation") == "1");
  CHECK(stored(office.speaker.find(1, caller(1))).sealed_number == anew);
  office.check_verified();

  office.tested.close();
  std::filesystem::path const copy = office.tested.folder() / "rotated.db";
  std::filesystem::copy_file(office.tested.path(), copy);
  storage::LedgerOptions options = options_for(copy, office.tested.clock());
  CHECK(storage::open_ledger(options).error().kind == storage::OpenError::Kind::wrong_key);
  options.key_fingerprint = digest_of(4712);
  CHECK(storage::open_ledger(options).has_value());
}

TEST_CASE("a number that opens under no key is counted, and is in no rotation's way; a pepper is") {
  Office office;
  office.spend(1, 1);
  core::SealedBytes const before = stored(office.speaker.find(1, caller(1))).sealed_number;
  auto const opens = [](core::crypto::SealedField which) {
    return admin::RotateKey{.key_fingerprint = digest_of(4712),
                            .reseal = [which](core::crypto::SealedField field, std::int64_t,
                                              core::SealedBytes const&) -> std::optional<core::SealedBytes> {
                              if (field != which) return std::nullopt;
                              return core::SealedBytes{42};
                            }};
  };
  CHECK(office.refused(opens(core::crypto::SealedField::number)) == admin::Refusal::Kind::conflict);
  CHECK(stored(office.speaker.find(1, caller(1))).sealed_number == before);
  CHECK(office.value("SELECT count(*) FROM key_rotation") == "0");
  CHECK(office.value("SELECT hex(sealed_pepper) FROM meta") == "01");

  admin::Done const done = office.done(opens(core::crypto::SealedField::pepper));
  CHECK(done.count == 1);
  CHECK(done.sentence.find("1 opened under no key") != std::string::npos);
  CHECK(stored(office.speaker.find(1, caller(1))).sealed_number == before);
}

TEST_CASE("what the old key sealed is gone from the files once nobody reads old pages") {
  SqliteUnderTest tested;
  core::SealedBytes const old(40, 'Q');
  Speaker speaker(tested);
  core::Settlement settlement;
  settlement.attempt = speaker.started(1, caller(1));
  settlement.state = State::ok;
  settlement.sealed_number = old;
  settlement.phone_mask = "138****8000";
  speaker.settle(std::move(settlement));
  auto const holds_old = [&] {
    std::string bytes;
    for (char const* const suffix : {"", "-wal"}) {
      std::ifstream file(tested.path().string() + suffix, std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes.find(std::string(old.begin(), old.end())) != std::string::npos;
  };
  CHECK(holds_old());
  admin::Command rotation{
      .act = admin::RotateKey{.key_fingerprint = digest_of(4712),
                              .reseal = [](auto&&...) { return std::optional(core::SealedBytes(40, 'R')); }},
      .at = tested.now()};
  REQUIRE(await(tested.loop(), tested.thread().administer(std::move(rotation))).has_value());
  tested.maintain();
  CHECK_FALSE(holds_old());
}

TEST_CASE("packs that were over before a day are left out of those since it") {
  Office office;  // 2124-11-22
  admin::AddPack pack;
  pack.appid = "wx0000000000000001";
  pack.units = 10;
  pack.ends = office.tested.now() + 24h;
  std::int64_t const ending = office.done(pack).id;
  std::int64_t const endless = office.add(10, 1'000).id;
  auto const listed = [&](std::string_view app, std::string_view since) {
    auto reports = storage::Reports::open(office.tested.path());
    REQUIRE(reports.has_value());
    storage::Table const packs = reports->named("packs", {app, since});
    std::string ids;
    for (std::size_t row = 0; row < packs.rows.size(); ++row) {
      if (storage::to_text(packs.at(row, "source")) != "overdraft")
        ids += storage::to_text(packs.at(row, "pack_id")) + " ";
    }
    return ids;
  };
  std::string const both = std::to_string(ending) + " " + std::to_string(endless) + " ";
  CHECK(listed("", "") == both);
  CHECK(listed("", "2124-11-23T08:00:00Z") == both);
  CHECK(listed("", "2124-11-23T08:00:01Z") == std::to_string(endless) + " ");
  CHECK(listed("wx9999999999999999", "").empty());
}

TEST_CASE("the scenes view counts by button and place") {
  Office office;
  core::Intent intent = office.speaker.intent(1, caller(1));
  intent.scene = "order";
  intent.client_env = core::ClientEnv::release;
  ledger::BeginResult const began = await(office.tested.loop(), office.tested.port().begin(intent));
  office.speaker.settle_ok(std::get<ledger::Started>(began).attempt);
  storage::Table const scenes = office.query("SELECT * FROM v_scenes");
  REQUIRE(scenes.rows.size() == 1);
  CHECK(storage::to_text(scenes.at(0, "scene")) == "order");
  CHECK(storage::to_text(scenes.at(0, "client_env")) == "release");
  CHECK(storage::to_text(scenes.at(0, "issued")).empty());
  CHECK(storage::to_text(scenes.at(0, "ok")) == "1");
  CHECK(storage::to_text(scenes.at(0, "amount_yuan")) == "0.03");
}

}  // namespace onetap::tests
