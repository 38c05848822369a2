#pragma once

#include <utility>
#include <vector>

#include "core/token/store.hpp"

namespace onetap::tests {

/// The TokenStore port over a vector: all that was ever kept, in order.
class MemoryTokenStore final : public core::TokenStore {
 public:
  bool accepts = true;
  std::vector<core::StoredToken> kept;

  [[nodiscard]] core::Task<bool> keep_token(core::StoredToken token) override {
    if (accepts) kept.push_back(std::move(token));
    co_return accepts;
  }
};

}  // namespace onetap::tests
