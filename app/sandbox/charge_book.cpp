#include "app/sandbox/charge_book.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace onetap::app {
namespace {

namespace json = boost::json;

// A year of a busy mini program: what is exchanged in tests is charged, and never used up by itself.
constexpr std::int64_t units_at_first = 1'000'000;
constexpr std::int64_t never = 4294967295;

enum class Status { in_force = 1, not_yet = 2, over = 3 };

Status status_of(ChargeBook::Pack const& pack, std::int64_t now_s) {
  if (now_s < pack.starts_s) return Status::not_yet;
  return pack.ends_s != 0 && now_s >= pack.ends_s ? Status::over : Status::in_force;
}

json::object describe(ChargeBook::Pack const& pack, std::string_view spu_id, std::int64_t untold,
                      std::int64_t now_s) {
  constexpr int given = 1;
  constexpr int bought = 2;
  return {{"pkgId", pack.pkg_id},
          {"startTime", pack.starts_s},
          {"endTime", pack.ends_s == 0 ? never : pack.ends_s},
          {"used", std::to_string(pack.used - untold)},
          {"all", std::to_string(pack.all)},
          {"status", static_cast<int>(status_of(pack, now_s))},
          {"source", pack.pkg_id.empty() ? given : bought},
          {"spuId", spu_id}};
}

}  // namespace

ChargeBook::ChargeBook() {
  of(core::Kind::quick).packs = {{.pkg_id = "ZY1000000000000000001", .all = units_at_first}};
  of(core::Kind::realtime).packs = {{.pkg_id = "ZY1000000000000000002", .all = units_at_first}};
}

void ChargeBook::set_packs(core::Kind kind, std::vector<Pack> packs) {
  of(kind).packs = std::move(packs);
  std::erase_if(burnt_, [kind](Burnt const& burnt) { return burnt.kind == kind; });
}

void ChargeBook::burn(core::Kind kind, core::WallTime now) {
  std::int64_t const now_s = core::unix_seconds(now);
  Pack* next = nullptr;
  auto const order = [](Pack const& pack) {
    return std::tuple(!pack.pkg_id.empty(), pack.ends_s == 0 ? never : pack.ends_s, pack.pkg_id);
  };
  for (Pack& pack : of(kind).packs) {
    if (status_of(pack, now_s) != Status::in_force || pack.used >= pack.all) continue;
    if (next == nullptr || order(pack) < order(*next)) next = &pack;
  }
  if (next == nullptr) return;
  ++next->used;
  if (lag_ > core::seconds(0)) burnt_.push_back({.at = now, .kind = kind, .pkg_id = next->pkg_id});
}

std::optional<json::object> ChargeBook::usage(std::string_view spu_id, std::size_t offset, std::size_t limit,
                                              core::WallTime now) {
  OfKind* const found = find(spu_id);
  if (found == nullptr) return std::nullopt;
  tell(now);
  std::int64_t const now_s = core::unix_seconds(now);
  core::Kind const kind = spu_id == quick_spu_id ? core::Kind::quick : core::Kind::realtime;
  json::array details;
  std::int64_t all = 0;
  std::int64_t used = 0;
  for (std::size_t i = 0; i < found->packs.size(); ++i) {
    Pack const& pack = found->packs[i];
    std::int64_t const hidden = untold(kind, pack.pkg_id);
    if (status_of(pack, now_s) == Status::in_force) all += pack.all;
    used += pack.used - hidden;
    if (i >= offset && details.size() < limit) details.push_back(describe(pack, spu_id, hidden, now_s));
  }
  json::object object{{"errcode", 0},
                      {"all", std::to_string(all)},
                      {"effectiveAll", "0"},
                      {"total", found->packs.size()},
                      {"detailList", std::move(details)}};
  if (used > 0) object["effectiveUse"] = std::to_string(used);
  return object;
}

std::optional<json::object> ChargeBook::average(std::string_view spu_id) {
  constexpr int no_recent_usage = 10122000;
  OfKind const* const found = find(spu_id);
  if (found == nullptr) return std::nullopt;
  if (found->average == 0) return json::object{{"errcode", no_recent_usage}, {"errmsg", "no recent usage"}};
  return json::object{{"errcode", 0}, {"errmsg", "ok"}, {"averageData", found->average}};
}

ChargeBook::OfKind* ChargeBook::find(std::string_view spu_id) {
  if (spu_id == quick_spu_id) return &of(core::Kind::quick);
  return spu_id == realtime_spu_id ? &of(core::Kind::realtime) : nullptr;
}

ChargeBook::Units ChargeBook::units(core::Kind kind) const {
  Units units;
  for (Pack const& pack : of(kind).packs) {
    units.all += pack.all;
    units.used += pack.used;
  }
  return units;
}

std::int64_t ChargeBook::untold(core::Kind kind, std::string_view pkg_id) const {
  return std::ranges::count_if(
      burnt_, [&](Burnt const& burnt) { return burnt.kind == kind && burnt.pkg_id == pkg_id; });
}

void ChargeBook::tell(core::WallTime now) {
  while (!burnt_.empty() && burnt_.front().at + lag_ <= now) burnt_.pop_front();
}

}  // namespace onetap::app
