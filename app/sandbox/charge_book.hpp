#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::app {

/// The resource packs of the stand-in: a code burns a unit when the page gets it, and WeChat's figures tell
/// of it some time later (facts/wechat-api.md §1.6, §2.1).
class ChargeBook {
 public:
  struct Pack {
    std::string pkg_id;  // empty: the trial pack
    std::int64_t all = 0;
    std::int64_t used = 0;
    std::int64_t starts_s = 0;  // unix
    std::int64_t ends_s = 0;    // 0: never
  };
  /// What WeChat calls the two components (facts §2.3).
  static constexpr std::string_view quick_spu_id = "10000077";
  static constexpr std::string_view realtime_spu_id = "10000086";

  ChargeBook();

  /// Empty: the account is exempt from fees. What was used so far is in the packs, and told at once.
  void set_packs(core::Kind kind, std::vector<Pack> packs);
  /// How long a burnt unit is in no figure yet.
  void set_lag(core::seconds lag) { lag_ = lag; }
  /// Units a month, as get_recent_average has them; 0: it has none.
  void set_average(core::Kind kind, std::int64_t units) { of(kind).average = units; }

  /// The trial pack's unit first, then of the nearest end, then of the lowest name; none: nothing happens.
  void burn(core::Kind kind, core::WallTime now);

  /// Of all packs, as they are at WeChat: no figure lags here.
  struct Units {
    std::int64_t all = 0;
    std::int64_t used = 0;
  };
  [[nodiscard]] Units units(core::Kind kind) const;

  /// A page of charge/usage/get; none for a spuId that there is not.
  [[nodiscard]] std::optional<boost::json::object> usage(std::string_view spu_id, std::size_t offset,
                                                         std::size_t limit, core::WallTime now);
  /// charge/usage/get_recent_average; none likewise.
  [[nodiscard]] std::optional<boost::json::object> average(std::string_view spu_id);

 private:
  struct OfKind {
    std::vector<Pack> packs;
    std::int64_t average = 0;
  };
  struct Burnt {
    core::WallTime at;
    core::Kind kind;
    std::string pkg_id;
  };

  [[nodiscard]] OfKind& of(core::Kind kind) { return of_kinds_.at(kind == core::Kind::quick ? 0 : 1); }
  [[nodiscard]] OfKind const& of(core::Kind kind) const {
    return of_kinds_.at(kind == core::Kind::quick ? 0 : 1);
  }
  [[nodiscard]] OfKind* find(std::string_view spu_id);
  [[nodiscard]] std::int64_t untold(core::Kind kind, std::string_view pkg_id) const;
  void tell(core::WallTime now);

  std::array<OfKind, 2> of_kinds_;
  core::seconds lag_{0};
  std::deque<Burnt> burnt_;  // and in no figure yet
};

}  // namespace onetap::app
