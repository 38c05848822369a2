#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exchange/ledger.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// What a unit costs where its pack has no price of its own.
struct UnitPrices {
  std::int64_t quick_micro_yuan = 30'000;
  std::int64_t realtime_micro_yuan = 40'000;

  [[nodiscard]] std::int64_t of(core::Kind kind) const {
    return kind == core::Kind::realtime ? realtime_micro_yuan : quick_micro_yuan;
  }
};

/// The same for each app.
struct Prices {
  UnitPrices usual;
  std::map<std::string, UnitPrices, std::less<>> of_apps{};  // by appid, where they differ

  [[nodiscard]] UnitPrices const& of(std::string_view appid) const {
    auto const found = of_apps.find(appid);
    return found == of_apps.end() ? usual : found->second;
  }
};

/// Where one unit comes from, and its exact money.
struct Charge {
  std::int64_t pack = 0;
  bool overdraft = false;
  std::int64_t micro_yuan = 0;

  /// The account that the unit leaves.
  [[nodiscard]] std::string_view account() const { return overdraft ? "source" : "available"; }
};

/// The packs of all apps: which one the next unit burns, and what the current batch moved. Lives beside
/// the only writing connection, so that what it knows is what the database says.
class PackBook {
 public:
  PackBook(Connection& connection, Prices prices);

  /// Forgets everything and reads it anew: at start, and after a batch was rolled back.
  void reload();

  /// The id of this app; a new one is written with its two overdraft packs.
  [[nodiscard]] std::int64_t app(std::string const& appid, core::WallTime at);

  /// The unit that burns next: the trial's first, then the earliest end, then the lowest pack; with none
  /// left, the overdraft pack. Changes nothing.
  [[nodiscard]] Charge next_unit(std::int64_t app, core::Kind kind, core::WallTime at) const;

  /// Notes that an entry of one unit was written for this charge.
  void move_unit(Charge const& charge, std::string_view from_account, std::string_view to_account);

  /// Writes the balances that changed since the last flush.
  void flush();

 private:
  struct Pack {
    std::int64_t id = 0;
    std::int64_t app = 0;
    core::Kind kind = core::Kind::quick;
    std::string source;
    std::int64_t unit_micro_yuan = 0;  // of the overdraft
    std::optional<std::int64_t> starts_at;
    std::optional<std::int64_t> ends_at;
    std::int64_t available_units = 0;
    std::int64_t available_micro_yuan = 0;
  };
  struct Amount {
    std::int64_t units = 0;
    std::int64_t micro_yuan = 0;
  };

  void add(std::int64_t pack, std::string_view account, Amount amount);

  Connection& connection_;
  Prices prices_;
  Statement list_apps_;
  Statement insert_app_;
  Statement insert_overdraft_;
  Statement list_packs_;
  Statement add_to_balance_;
  std::map<std::string, std::int64_t, std::less<>> apps_;
  std::vector<Pack> packs_;  // in burn order
  std::map<std::pair<std::int64_t, std::string>, Amount> moved_;
};

}  // namespace onetap::storage
