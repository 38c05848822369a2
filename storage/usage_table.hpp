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
  void record(core::UsageSnapshot const& snapshot, std::int64_t app);

 private:
  [[nodiscard]] std::optional<std::int64_t> find(core::UsageSnapshot const& snapshot,
                                                 core::PackUsage const& pack, std::int64_t app);
  [[nodiscard]] std::optional<std::int64_t> add(core::UsageSnapshot const& snapshot,
                                                core::PackUsage const& pack, std::int64_t app);

  Bookkeeper& bookkeeper_;
  Statement find_;
  Statement find_unnamed_;
  Statement name_;
  Statement set_times_;
  Statement insert_;
};

}  // namespace onetap::storage
