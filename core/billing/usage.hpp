#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/wechat.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// Port: WeChat's own figures of the resource packs (facts/wechat-api.md §2). Every call ends by its
/// deadline.
class ChargeApi {
 public:
  ChargeApi() = default;
  ChargeApi(ChargeApi const&) = delete;
  ChargeApi& operator=(ChargeApi const&) = delete;
  virtual ~ChargeApi() = default;

  /// GET /wxa/charge/usage/get: limits::usage_page_packs packs from `offset` on.
  [[nodiscard]] virtual Task<WeChatReply> get_charge_usage(AccessToken access_token, std::int64_t spu_id,
                                                           std::size_t offset, SteadyTime deadline) = 0;
  /// GET /wxa/charge/usage/get_recent_average.
  [[nodiscard]] virtual Task<WeChatReply> get_recent_average(AccessToken access_token, std::int64_t spu_id,
                                                             SteadyTime deadline) = 0;
};

/// A pack as WeChat's usage answer has it (facts §2.1).
struct PackUsage {
  enum class Status { in_force = 1, not_yet = 2, over = 3 };

  std::string pkg_id;  // empty: the trial pack
  Status status = Status::in_force;
  std::int64_t all = 0;
  std::int64_t used = 0;
  std::optional<WallTime> starts{};
  std::optional<WallTime> ends{};  // none: never

  [[nodiscard]] bool is_trial() const { return pkg_id.empty(); }
};

/// What WeChat says of one kind's packs at one time.
struct UsageSnapshot {
  std::string appid;
  Kind kind = Kind::quick;
  std::vector<PackUsage> packs;  // none: the account is exempt from fees, or was never given any
  WallTime as_of;                // when WeChat was asked

  /// Of the packs in force.
  [[nodiscard]] std::int64_t units_left() const;
  [[nodiscard]] std::int64_t units() const;
  /// There have been packs, and nothing of them is left. A trial pack that is yet to begin has been seen on
  /// an account that could do without it: that is not used up.
  [[nodiscard]] bool is_used_up() const;
};

/// What WeChat has pushed.
struct ToldPercent {
  int percent_left = 0;
  WallTime at;

  friend bool operator==(ToldPercent const&, ToldPercent const&) = default;
};

/// WeChat's last word on one kind, as an earlier run kept it.
struct LastUsage {
  std::string appid;
  Kind kind = Kind::quick;
  std::optional<UsageSnapshot> snapshot{};  // none: it has only pushed
  std::optional<ToldPercent> told{};        // none: nothing, or figures have overtaken it
};

/// What WeChat has pushed of one kind, to be kept.
struct PushedUsage {
  std::string appid;
  Kind kind = Kind::quick;
  std::optional<ToldPercent> told{};  // none: nothing, or figures have overtaken it
  WallTime at;                        // of this change
};

/// Why WeChat gives no figures.
enum class UsageFault {
  unavailable,    // asking again may do
  token_refused,  // with another token
  not_entitled,   // the account or the spuId: the operator may act
  no_figures,     // there are none (get_recent_average only)
};

struct UsageFailure {
  UsageFault fault = UsageFault::unavailable;
  std::optional<int> errcode{};
  std::string rid{};
  std::string hint{};  // one line for the operator
};

struct UsagePage {
  std::vector<PackUsage> packs;
  std::size_t total = 0;  // on all pages
};

[[nodiscard]] Result<UsagePage, UsageFailure> judge_usage_answer(WeChatReply const& reply);

/// Units a month, fuzzed by WeChat (facts §2.2).
[[nodiscard]] Result<std::int64_t, UsageFailure> judge_average_answer(WeChatReply const& reply);

/// What became of figures that were kept.
struct UsageKept {
  struct LeftOut {
    std::string pkg_id;
    std::string why;  // for the operator
  };
  std::vector<LeftOut> left_out;          // packs that the ledger does not take; no code is booked on them
  std::vector<std::int64_t> doubts_lost;  // consumptions that the figures say were charged
};

/// Port: where WeChat's figures are kept beside ours. Thread: the loop's.
class UsageStore {
 public:
  UsageStore() = default;
  UsageStore(UsageStore const&) = delete;
  UsageStore& operator=(UsageStore const&) = delete;
  virtual ~UsageStore() = default;

  /// Appends the figures; packs that were not known come into being, and doubt of more than two days ends
  /// where the figures say how. None when nothing was done (queue or disk full, closing).
  [[nodiscard]] virtual Task<std::optional<UsageKept>> record_usage(UsageSnapshot snapshot) = 0;
  /// For the next start. False when nothing was done.
  [[nodiscard]] virtual Task<bool> keep_pushed(PushedUsage pushed) = 0;
};

}  // namespace onetap::core
