#include "storage/pack_book.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <tuple>

#include "storage/embedded_sql.hpp"

namespace onetap::storage {

PackBook::PackBook(Connection& connection, Prices prices)
    : connection_(connection),
      prices_(std::move(prices)),
      list_apps_(connection, hot_sql("list_apps")),
      insert_app_(connection, hot_sql("insert_app")),
      insert_overdraft_(connection, hot_sql("insert_overdraft")),
      list_packs_(connection, hot_sql("list_packs")),
      add_to_balance_(connection, hot_sql("add_to_balance")) {
  reload();
}

void PackBook::reload() {
  apps_.clear();
  packs_.clear();
  moved_.clear();
  Rows apps = list_apps_.query({});
  std::map<std::int64_t, UnitPrices> prices;
  while (apps.next()) {
    prices.emplace(apps.integer(0), prices_.of(apps.text(1)));
    apps_.emplace(apps.text(1), apps.integer(0));
  }
  Rows rows = list_packs_.query({});
  while (rows.next()) {
    Pack pack;
    pack.id = rows.integer(0);
    pack.app = rows.integer(1);
    pack.kind = rows.text(2) == "realtime" ? core::Kind::realtime : core::Kind::quick;
    pack.source = rows.text(3);
    pack.starts_at = rows.integer_or_none(4);
    pack.ends_at = rows.integer_or_none(5);
    pack.available_units = rows.integer(6);
    pack.available_micro_yuan = rows.integer(7);
    pack.unit_micro_yuan = prices.at(pack.app).of(pack.kind);
    packs_.push_back(std::move(pack));
  }
  auto const burn_order = [](Pack const& pack) {
    return std::tuple(pack.source == "overdraft", pack.source != "trial",
                      pack.ends_at.value_or(std::numeric_limits<std::int64_t>::max()), pack.id);
  };
  std::ranges::sort(packs_, {}, burn_order);
}

std::int64_t PackBook::app(std::string const& appid, core::WallTime at) {
  if (auto const known = apps_.find(appid); known != apps_.end()) return known->second;
  insert_app_.run({appid});
  std::int64_t const id = connection_.last_insert_rowid();
  for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
    insert_overdraft_.run({id, core::to_string(kind), core::unix_ms(at)});
    Pack pack;
    pack.id = connection_.last_insert_rowid();
    pack.app = id;
    pack.kind = kind;
    pack.source = "overdraft";
    pack.unit_micro_yuan = prices_.of(appid).of(kind);
    packs_.push_back(std::move(pack));  // last in burn order
  }
  apps_.emplace(appid, id);
  return id;
}

Charge PackBook::next_unit(std::int64_t app, core::Kind kind, core::WallTime at) const {
  std::int64_t const now_ms = core::unix_ms(at);
  for (Pack const& pack : packs_) {
    if (pack.app != app || pack.kind != kind) continue;
    if (pack.source == "overdraft")
      return {.pack = pack.id, .overdraft = true, .micro_yuan = pack.unit_micro_yuan};
    bool const begun = !pack.starts_at || *pack.starts_at <= now_ms;
    bool const ended = pack.ends_at && *pack.ends_at <= now_ms;
    if (pack.available_units <= 0 || !begun || ended) continue;
    // What the division leaves over stays with the pack, and goes with its last unit.
    return {
        .pack = pack.id, .overdraft = false, .micro_yuan = pack.available_micro_yuan / pack.available_units};
  }
  throw std::logic_error("an app without an overdraft pack");
}

void PackBook::move_unit(Charge const& charge, std::string_view from_account, std::string_view to_account) {
  add(charge.pack, from_account, {.units = -1, .micro_yuan = -charge.micro_yuan});
  add(charge.pack, to_account, {.units = 1, .micro_yuan = charge.micro_yuan});
}

void PackBook::add(std::int64_t pack, std::string_view account, Amount amount) {
  Amount& sum = moved_[{pack, std::string(account)}];
  sum.units += amount.units;
  sum.micro_yuan += amount.micro_yuan;
  if (account != "available") return;
  auto const found = std::ranges::find(packs_, pack, &Pack::id);
  if (found == packs_.end()) return;
  found->available_units += amount.units;
  found->available_micro_yuan += amount.micro_yuan;
}

void PackBook::flush() {
  for (auto const& [account, amount] : moved_) {
    add_to_balance_.run({account.first, account.second, amount.units, amount.micro_yuan});
  }
  moved_.clear();
}

}  // namespace onetap::storage
