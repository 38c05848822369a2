#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/ledger_admin.hpp"
#include "storage/pack_book.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// Does what operators ask for, straight in the tables: entries and balances. The PackBook must be flushed
/// before, and reloaded after. A refused act has changed nothing if its savepoint is rolled back.
class Bookkeeper {
 public:
  Bookkeeper(Connection& connection, Prices prices) : connection_(connection), prices_(std::move(prices)) {}

  /// `app` is the id of AddPack's app.
  [[nodiscard]] core::admin::Answer run(core::admin::Command const& command, std::int64_t app);

  /// The unit of a consumption in doubt is used after all.
  void book_rescue(std::int64_t consumption, core::WallTime at);

  /// Books what is left of packs whose time is over; how many packs.
  int expire(core::WallTime at);

  /// What expired of a pack is there again: WeChat has extended it. How many units.
  std::int64_t revive(std::int64_t pack, core::WallTime at);

  /// Units that WeChat had counted before this ledger; no more than are left. How many.
  std::int64_t open_with(std::int64_t pack, std::int64_t units, core::WallTime at);

  /// Doubt of more than two days is lost where WeChat's latest figures of this kind charge all that is in
  /// doubt. Which consumptions, at most some hundred.
  [[nodiscard]] std::vector<std::int64_t> end_old_doubts(std::int64_t app, core::Kind kind,
                                                         core::WallTime at);

  /// Moves what the overdrafts took to packs that have begun since; how many units.
  std::int64_t return_overdrafts(core::WallTime at);

 private:
  struct Amount {
    std::int64_t units = 0;
    std::int64_t micro_yuan = 0;
  };
  struct Entry {
    std::string_view kind;
    std::int64_t pack = 0;
    std::optional<std::int64_t> consumption{};
    std::string_view from;
    std::string_view to;
    Amount amount;
    std::string_view note{};
    core::WallTime at;
  };
  using Balances = std::map<std::string, Amount, std::less<>>;

  [[nodiscard]] core::admin::Answer resolve(core::admin::Resolve const& act, core::WallTime at);
  [[nodiscard]] core::admin::Answer add_pack(core::admin::AddPack const& act, std::int64_t app,
                                             core::WallTime at);
  [[nodiscard]] core::admin::Answer price_pack(core::admin::PricePack const& act, core::WallTime at);
  [[nodiscard]] core::admin::Answer book_leak(core::admin::BookLeak const& act, core::WallTime at);
  [[nodiscard]] core::admin::Answer book_refund(core::admin::BookRefund const& act, core::WallTime at);
  [[nodiscard]] std::optional<core::admin::Refusal> fault_of_bought(std::int64_t pack);
  [[nodiscard]] core::admin::Answer erase(core::admin::ErasePerson const& act, core::WallTime at);
  [[nodiscard]] core::admin::Answer rotate_key(core::admin::RotateKey const& act, core::WallTime at);

  [[nodiscard]] std::vector<core::CallerKey> users_of(core::admin::ErasePerson const& act);
  [[nodiscard]] std::int64_t end_sessions(std::vector<core::CallerKey> const& users);
  [[nodiscard]] std::int64_t return_overdraft(std::int64_t app, std::string const& kind, core::WallTime at);
  [[nodiscard]] Amount unit_in_doubt(std::int64_t pack);
  void reprice(std::int64_t pack, std::int64_t price_micro_yuan, core::WallTime at);
  void book(Entry const& entry);
  [[nodiscard]] Balances balances(std::int64_t pack);
  [[nodiscard]] static Amount share(Amount const& of, std::int64_t units);

  Connection& connection_;
  Prices prices_;
};

}  // namespace onetap::storage
