#pragma once

#include <cstdint>
#include <vector>

#include "core/token/store.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// The apps' access_tokens in the database. Lives beside the only writing connection; each call is part of
/// its caller's transaction.
class TokenTable {
 public:
  explicit TokenTable(Connection& connection);

  /// `app` is the id of the token's app, whose last token goes.
  void put(core::StoredToken const& token, std::int64_t app);

  /// Those that still live.
  [[nodiscard]] std::vector<core::StoredToken> load(core::WallTime now);

 private:
  Connection& connection_;
  Statement put_;
};

}  // namespace onetap::storage
