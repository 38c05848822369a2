#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace onetap::core {

enum class NonceVerdict { fresh, replayed, full };

/// The nonces that one session has spent, each until its timestamp can no longer be accepted.
/// 16 bytes a nonce, limits::nonces_per_session_max at most: few enough to be looked through.
class NonceBook {
 public:
  /// Spends `nonce`, unless it was spent or there is no room. `sent` is the request's timestamp.
  [[nodiscard]] NonceVerdict spend(std::string_view nonce, std::int64_t sent_unix_s, WallTime now);

  [[nodiscard]] std::size_t size() const { return spent_.size(); }

 private:
  struct Spent {
    std::uint64_t nonce = 0;
    std::int64_t until_unix_s = 0;
  };

  std::vector<Spent> spent_;
};

}  // namespace onetap::core
