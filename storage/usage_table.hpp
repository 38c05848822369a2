#pragma once

#include <cstdint>

#include "core/billing/usage.hpp"
#include "storage/bookkeeper.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// WeChat's figures beside ours: packs come into being by them, and each time they were asked for is kept.
/// Lives beside the only writing connection; each call is part of its caller's transaction. The PackBook must
/// be flushed before, and reloaded after.
class UsageTable {
 public:
  UsageTable(Connection& connection, Bookkeeper& bookkeeper);

  /// `app` is the id of the snapshot's app.
  core::UsageKept record(core::UsageSnapshot const& snapshot, std::int64_t app);
  /// What was pushed since, for the next start.
  void keep(core::PushedUsage const& pushed, std::int64_t app);

 private:
  [[nodiscard]] std::optional<std::int64_t> find(core::UsageSnapshot const& snapshot,
                                                 core::PackUsage const& pack, std::int64_t app);
  [[nodiscard]] core::admin::Answer add(core::UsageSnapshot const& snapshot, core::PackUsage const& pack,
                                        std::int64_t app);
  [[nodiscard]] bool is_older_than_the_ledger(core::UsageSnapshot const& snapshot,
                                              core::PackUsage const& pack, std::int64_t app);
  [[nodiscard]] std::int64_t count_codes_since(std::int64_t pack, core::WallTime time);
  void grow_opening(std::int64_t id, core::PackUsage const& pack, core::WallTime as_of);

  Bookkeeper& bookkeeper_;
  Statement find_;
  Statement find_unnamed_;
  Statement name_;
  Statement set_times_;
  Statement insert_;
  Statement keep_listing_;
  Statement keep_answer_;
  Statement keep_told_;
  Statement is_older_;
  Statement insert_opening_;
  Statement find_opening_;
  Statement set_opening_;
  Statement count_codes_;
};

}  // namespace onetap::storage
