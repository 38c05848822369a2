#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/crypto/sip_hash.hpp"

namespace onetap::core {

/// `requests` at once, and as many again in each `period`; 0 requests: off.
struct RatePolicy {
  std::uint32_t requests = 0;
  seconds period{60};

  [[nodiscard]] bool is_off() const { return requests == 0; }
};

struct RateVerdict {
  bool admitted = true;
  std::uint32_t remaining = 0;  // requests that would be admitted now
  milliseconds until_full{};    // when `remaining` is `requests` again
  milliseconds retry_after{};   // when what was asked for would be admitted; 0 where it would be now
};

/// Token buckets by key, as the generic cell rate algorithm keeps them: one time for each key. Its memory
/// is fixed: where a set of the table is full of keys with debts, a new key takes over the smallest debt,
/// so that forgetting a key never gives anybody more than the policy says.
class RateLimiter {
 public:
  /// `seed` is random and keeps outsiders from choosing keys that share a set.
  RateLimiter(RatePolicy policy, crypto::SipHashKey const& seed);

  /// Takes so many requests' worth from the key's bucket, if it is there.
  [[nodiscard]] RateVerdict take(std::string_view key, SteadyTime now, std::uint32_t count = 1);
  /// Gives one request's worth back.
  void give_back(std::string_view key, SteadyTime now);
  /// What take() would find; takes nothing.
  [[nodiscard]] RateVerdict look(std::string_view key, SteadyTime now) const;

  [[nodiscard]] RatePolicy const& policy() const { return policy_; }

 private:
  static constexpr std::size_t sets = 8192;
  static constexpr std::size_t keys_per_set = 8;

  struct Bucket {
    std::uint64_t key = 0;
    SteadyTime full_at;  // when the bucket is full again; at first, long ago
  };
  struct Set {
    std::array<Bucket, keys_per_set> buckets;
    SteadyTime forgotten;  // the largest debt that was taken over: none here is ever smaller
  };

  [[nodiscard]] std::uint64_t digest_of(std::string_view key) const { return crypto::sip_hash(seed_, key); }
  [[nodiscard]] Bucket const* find(std::uint64_t key) const;
  [[nodiscard]] Bucket& find_or_make(std::uint64_t key);
  [[nodiscard]] RateVerdict verdict(SteadyTime full_at, SteadyTime now, std::uint32_t count = 1) const;

  RatePolicy policy_;
  crypto::SipHashKey seed_;
  SteadyTime::duration interval_{};  // in which one request's worth comes back
  std::vector<Set> table_;
};

}  // namespace onetap::core
