#include "core/gate/rate_limiter.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace onetap::core {
namespace {

using namespace std::chrono_literals;

constexpr crypto::SipHashKey seed{'s', 'e', 'e', 'd'};
SteadyTime const start{std::chrono::hours(1000)};

/// A token bucket as one would draw it: it holds `requests` and refills evenly.
class Reference {
 public:
  explicit Reference(RatePolicy policy)
      : interval_(std::chrono::nanoseconds(policy.period) / policy.requests),
        capacity_(interval_ * policy.requests),
        held_(capacity_) {}

  [[nodiscard]] bool take(SteadyTime now) {
    refill(now);
    if (held_ < interval_) return false;
    held_ -= interval_;
    return true;
  }
  void give_back(SteadyTime now) {
    refill(now);
    held_ = std::min(capacity_, held_ + interval_);
  }
  [[nodiscard]] std::uint32_t remaining(SteadyTime now) {
    refill(now);
    return static_cast<std::uint32_t>(held_ / interval_);
  }
  [[nodiscard]] std::chrono::nanoseconds until_full(SteadyTime now) {
    refill(now);
    return capacity_ - held_;
  }

 private:
  void refill(SteadyTime now) {
    held_ = std::min(capacity_, held_ + (now - last_));
    last_ = now;
  }

  std::chrono::nanoseconds interval_;
  std::chrono::nanoseconds capacity_;
  std::chrono::nanoseconds held_;
  SteadyTime last_ = start;
};

int admitted_of(RateLimiter& limiter, std::string_view key, int requests, SteadyTime now) {
  int admitted = 0;
  for (int i = 0; i < requests; ++i) admitted += limiter.take(key, now).admitted ? 1 : 0;
  return admitted;
}

TEST_CASE("a key that was never seen has its whole bucket") {
  RateLimiter const limiter({.requests = 3, .period = 60s}, seed);
  RateVerdict const found = limiter.look("a", start);
  CHECK(found.admitted);
  CHECK(found.remaining == 3);
  CHECK(found.until_full == 0ms);
  CHECK(found.retry_after == 0ms);
}

TEST_CASE("as many requests as the policy says are admitted at once, and then one at a time") {
  RateLimiter limiter({.requests = 3, .period = 60s}, seed);
  for (std::uint32_t const left : {2U, 1U, 0U}) {
    RateVerdict const verdict = limiter.take("a", start);
    CHECK(verdict.admitted);
    CHECK(verdict.remaining == left);
    CHECK(verdict.until_full == (3 - left) * 20'000ms);
  }
  RateVerdict const refused = limiter.take("a", start);
  CHECK_FALSE(refused.admitted);
  CHECK(refused.remaining == 0);
  CHECK(refused.retry_after == 20s);
  CHECK_FALSE(limiter.take("a", start + 19'999ms).admitted);
  CHECK(limiter.take("a", start + 20s).admitted);
  CHECK_FALSE(limiter.take("a", start + 20s).admitted);
}

TEST_CASE("a refused request costs nothing") {
  RateLimiter limiter({.requests = 1, .period = 10s}, seed);
  REQUIRE(limiter.take("a", start).admitted);
  CHECK(admitted_of(limiter, "a", 1000, start + 9s) == 0);
  CHECK(limiter.take("a", start + 10s).admitted);
}

TEST_CASE("who comes again after Retry-After is admitted") {
  RateLimiter limiter({.requests = 7, .period = 60s}, seed);
  REQUIRE(admitted_of(limiter, "a", 100, start) == 7);
  SteadyTime now = start + 1234567ns;
  for (int i = 0; i < 50; ++i) {
    RateVerdict const refused = limiter.take("a", now);
    REQUIRE_FALSE(refused.admitted);
    REQUIRE(refused.retry_after > 0ms);
    now += refused.retry_after;
    REQUIRE(limiter.take("a", now).admitted);
  }
}

TEST_CASE("a look takes nothing") {
  RateLimiter limiter({.requests = 1, .period = 60s}, seed);
  for (int i = 0; i < 10; ++i) CHECK(limiter.look("a", start).remaining == 1);
  REQUIRE(limiter.take("a", start).admitted);
  CHECK(limiter.look("a", start).remaining == 0);
  CHECK_FALSE(limiter.look("a", start).admitted);
  CHECK(limiter.look("b", start).remaining == 1);
}

TEST_CASE("a policy of no requests is off") {
  RateLimiter limiter({.requests = 0, .period = 60s}, seed);
  CHECK(admitted_of(limiter, "a", 10'000, start) == 10'000);
  limiter.give_back("a", start);
  CHECK(limiter.look("a", start).admitted);
}

TEST_CASE("a policy of more requests than a clock can tell apart still limits") {
  RateLimiter limiter({.requests = 4'000'000'000U, .period = 1s}, seed);
  CHECK(limiter.take("a", start).admitted);
  CHECK(limiter.look("a", start).remaining <= 4'000'000'000U);
}

TEST_CASE("what is given back can be taken again, and no more than that") {
  RateLimiter limiter({.requests = 3, .period = 60s}, seed);
  REQUIRE(admitted_of(limiter, "a", 3, start) == 3);
  limiter.give_back("a", start);
  CHECK(limiter.look("a", start).remaining == 1);
  for (int i = 0; i < 10; ++i) limiter.give_back("a", start);
  CHECK(limiter.look("a", start).remaining == 3);
  CHECK(admitted_of(limiter, "a", 10, start) == 3);
  limiter.give_back("never seen", start);
  CHECK(admitted_of(limiter, "never seen", 10, start) == 3);
}

TEST_CASE("any keys, at any times, are admitted as by a plain token bucket") {
  rc::check("against the reference", [] {
    RatePolicy const policy{.requests = *rc::gen::inRange(1U, 12U),
                            .period = seconds(*rc::gen::inRange(1, 90))};
    RateLimiter limiter(policy, seed);
    std::vector<Reference> references(3, Reference(policy));
    SteadyTime now = start;
    auto const steps = *rc::gen::inRange(1, 300);
    for (int i = 0; i < steps; ++i) {
      now += std::chrono::nanoseconds(*rc::gen::inRange<std::int64_t>(0, 4'000'000'000));
      auto const key = *rc::gen::inRange<std::size_t>(0, references.size());
      std::string const name(1, static_cast<char>('a' + key));
      Reference& reference = references[key];
      if (*rc::gen::inRange(0, 5) == 0) {
        limiter.give_back(name, now);
        reference.give_back(now);
      } else {
        RC_ASSERT(limiter.take(name, now).admitted == reference.take(now));
      }
      RateVerdict const found = limiter.look(name, now);
      RC_ASSERT(found.remaining == reference.remaining(now));
      RC_ASSERT(found.until_full == std::chrono::ceil<milliseconds>(reference.until_full(now)));
    }
  });
}

TEST_CASE("a few thousand keys at once do not disturb one another") {
  RateLimiter limiter({.requests = 3, .period = 60s}, seed);
  for (int round = 0; round < 4; ++round) {
    for (int key = 0; key < 3000; ++key)
      REQUIRE(limiter.take(std::to_string(key), start).admitted == (round < 3));
  }
}

/// Far more keys than the table has room for, against one token bucket for each.
class Crowd {
 public:
  explicit Crowd(RatePolicy policy) : limiter_(policy, seed), truth_(keys, Reference(policy)) {}

  void ask(std::size_t key, SteadyTime now) {
    if (!limiter_.take(name(key), now).admitted) return;
    ++admitted_;
    if (!truth_[key].take(now)) ++too_many_;
    taken_.push_back(key);
  }
  /// One of those that were admitted is given back, once.
  void give_one_back(std::size_t which, SteadyTime now) {
    if (taken_.empty()) return;
    std::swap(taken_[which % taken_.size()], taken_.back());
    limiter_.give_back(name(taken_.back()), now);
    truth_[taken_.back()].give_back(now);
    taken_.pop_back();
  }

  [[nodiscard]] int admitted() const { return admitted_; }
  [[nodiscard]] int too_many() const { return too_many_; }

  static constexpr std::size_t keys = 120'000;

 private:
  static std::string name(std::size_t key) { return "key " + std::to_string(key); }

  RateLimiter limiter_;
  std::vector<Reference> truth_;
  std::vector<std::size_t> taken_;
  int admitted_ = 0;
  int too_many_ = 0;
};

TEST_CASE("a flood of keys makes nobody's bucket fuller than it is") {
  Crowd crowd({.requests = 2, .period = 60s});
  std::mt19937_64 random(1);
  for (int i = 0; i < 250'000; ++i)
    crowd.ask(random() % Crowd::keys, start + std::chrono::microseconds(100) * i);
  CHECK(crowd.admitted() > 65'536);
  CHECK(crowd.too_many() == 0);
}

TEST_CASE("nor do requests that are given back in such a flood") {
  Crowd crowd({.requests = 2, .period = 60s});
  std::mt19937_64 random(2);
  for (int i = 0; i < 250'000; ++i) {
    SteadyTime const now = start + std::chrono::microseconds(10) * i;
    crowd.ask(random() % Crowd::keys, now);
    if (random() % 2 == 0) crowd.give_one_back(random(), now);
  }
  CHECK(crowd.admitted() > 65'536);
  CHECK(crowd.too_many() == 0);
}

TEST_CASE("a table that is full of debts lets newcomers in as the debts end") {
  RateLimiter limiter({.requests = 1, .period = 60s}, seed);
  for (std::size_t key = 0; key < Crowd::keys; ++key) std::ignore = limiter.take(std::to_string(key), start);
  CHECK_FALSE(limiter.take("a newcomer", start).admitted);
  CHECK(limiter.take("a newcomer", start + 60s).admitted);
}

}  // namespace
TEST_CASE("many at once are admitted together, or none of them") {
  RateLimiter limiter({.requests = 10, .period = 60s}, seed);
  CHECK(limiter.take("a", start, 7).remaining == 3);
  RateVerdict const refused = limiter.take("a", start, 5);
  CHECK_FALSE(refused.admitted);
  CHECK(refused.retry_after == 12s);
  CHECK(limiter.take("a", start, 3).admitted);
  CHECK_FALSE(limiter.take("a", start + 29'999ms, 5).admitted);
  CHECK(limiter.take("a", start + 30s, 5).admitted);
  CHECK_FALSE(limiter.take("b", start, 11).admitted);
}

}  // namespace onetap::core
