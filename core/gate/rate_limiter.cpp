#include "core/gate/rate_limiter.hpp"

#include <algorithm>

namespace onetap::core {

RateLimiter::RateLimiter(RatePolicy policy, crypto::SipHashKey const& seed) : policy_(policy), seed_(seed) {
  if (policy_.is_off()) return;
  constexpr SteadyTime::duration tick{1};
  interval_ = std::max(SteadyTime::duration(policy_.period) / policy_.requests, tick);
  table_.resize(sets);
}

RateVerdict RateLimiter::take(std::string_view key, SteadyTime now, std::uint32_t count) {
  if (policy_.is_off()) return {};
  Bucket& bucket = find_or_make(digest_of(key));
  RateVerdict const before = verdict(bucket.full_at, now, count);
  if (before.retry_after > milliseconds(0)) return before;
  bucket.full_at = std::max(bucket.full_at, now) + interval_ * count;
  RateVerdict after = verdict(bucket.full_at, now);
  after.admitted = true;
  return after;
}

void RateLimiter::give_back(std::string_view key, SteadyTime now) {
  if (policy_.is_off()) return;
  std::uint64_t const digest = digest_of(key);
  if (find(digest) == nullptr) return;  // forgotten, and with it what it owed
  Bucket& bucket = find_or_make(digest);
  bucket.full_at = std::max({bucket.full_at - interval_, now, table_[digest % sets].forgotten});
}

RateVerdict RateLimiter::look(std::string_view key, SteadyTime now) const {
  if (policy_.is_off()) return {};
  Bucket const* const bucket = find(digest_of(key));
  return verdict(bucket == nullptr ? now : bucket->full_at, now);
}

RateVerdict RateLimiter::verdict(SteadyTime full_at, SteadyTime now, std::uint32_t count) const {
  auto const debt = std::max(full_at - now, SteadyTime::duration::zero());
  auto const room = interval_ * policy_.requests - debt;
  RateVerdict verdict{.until_full = std::chrono::ceil<milliseconds>(debt)};
  verdict.remaining = room <= room.zero() ? 0 : static_cast<std::uint32_t>(room / interval_);
  verdict.admitted = verdict.remaining >= count;
  if (!verdict.admitted) verdict.retry_after = std::chrono::ceil<milliseconds>(interval_ * count - room);
  return verdict;
}

RateLimiter::Bucket const* RateLimiter::find(std::uint64_t key) const {
  Set const& set = table_[key % sets];
  auto const* const found = std::ranges::find(set.buckets, key, &Bucket::key);
  return found == set.buckets.end() ? nullptr : found;
}

RateLimiter::Bucket& RateLimiter::find_or_make(std::uint64_t key) {
  auto& [buckets, forgotten] = table_[key % sets];
  auto* const found = std::ranges::find(buckets, key, &Bucket::key);
  if (found != buckets.end()) return *found;
  Bucket& bucket = *std::ranges::min_element(buckets, {}, &Bucket::full_at);
  forgotten = bucket.full_at;
  bucket.key = key;
  return bucket;
}

}  // namespace onetap::core
