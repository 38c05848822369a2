#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace onetap::core {

enum class NonceVerdict { fresh, replayed, full };

/// What a nonce is wanted for. A part of the room is kept for codes, so that nothing else starves them.
enum class NonceUse { code, other };

/// The nonces that one session has spent, each until its timestamp can no longer be accepted.
/// 16 bytes a nonce, limits::nonces_per_session_max at most: few enough to be looked through.
class NonceBook {
 public:
  /// Whether `nonce` can be spent; spends nothing.
  [[nodiscard]] NonceVerdict look(std::string_view nonce, NonceUse use, WallTime now) const;
  /// Spends `nonce`, where look() finds it fresh. `sent_unix_s` is the request's timestamp.
  void spend(std::string_view nonce, std::int64_t sent_unix_s, WallTime now);
  /// Until there is room again; 0 where there is.
  [[nodiscard]] seconds until_room(NonceUse use, WallTime now) const;

  /// Gives back the memory of those that can no longer come. spend() forgets them as well.
  void forget_old(WallTime now);

  [[nodiscard]] std::size_t size() const { return spent_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const { return spent_.capacity() * sizeof(Spent); }

 private:
  struct Spent {
    std::uint64_t nonce = 0;
    std::int64_t until_unix_s = 0;

    [[nodiscard]] bool is_old(WallTime now) const { return until_unix_s < unix_seconds(now); }
  };

  std::vector<Spent> spent_;
};

}  // namespace onetap::core
