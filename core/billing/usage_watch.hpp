#pragma once

#include <array>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/billing/quota_standing.hpp"
#include "core/billing/spu_ids.hpp"
#include "core/billing/usage.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/token/keeper.hpp"

namespace onetap::core {

[[nodiscard]] std::string_view to_string(UsageFault fault);

/// Asks WeChat for one mini program's figures again and again: they are kept in the ledger, and tell what the
/// pages are told before the tap.
class UsageWatch {
 public:
  struct Ports {
    Clock& clock;
    ChargeApi& wechat;
    TokenKeeper& tokens;
    UsageStore& store;
    QuotaStanding& standing;
    Log& log;
    std::function<void()> changed = [] {};  // there are new figures, or none any more
  };

  /// `rhythm` is ONETAP_USAGE_POLL; a fifth of it while little is left.
  UsageWatch(Ports ports, std::string appid, SpuIds spu_ids, seconds rhythm);
  UsageWatch(UsageWatch const&) = delete;
  UsageWatch& operator=(UsageWatch const&) = delete;
  ~UsageWatch() = default;

  /// Until stop().
  [[nodiscard]] Task<> run();
  void stop();

  /// Something has happened to a pack: WeChat is asked at once, or as soon as is polite.
  void ask_soon();

  /// Has WeChat asked now, and returns when its figures of both kinds are kept; those of the last
  /// limits::usage_interval_min are taken for it. False when they did not come by then.
  [[nodiscard]] Task<bool> ask_now(SteadyTime deadline);
  /// Why the last question brought no figures; none: it did, or there was none yet.
  [[nodiscard]] std::optional<UsageFault> fault(Kind kind) const;

 private:
  /// One kind's turn.
  struct Round {
    Kind kind;
    SteadyTime next{};  // when it is asked for again
    SteadyTime next_average{};
    seconds backoff{};   // zero: the last answer was one
    UsageFault told{};   // the fault that the log knows of
    SteadyTime asked{};  // last
    bool is_under_way = false;
    bool is_wanted_again = false;
    bool has_told = false;
    bool has_told_exempt = false;
    bool is_kept = false;  // what was answered last
    std::optional<ToldPercent> kept_told{};
    std::set<std::string> told_left_out;  // packs
  };

  [[nodiscard]] Task<> ask(Round& round);
  [[nodiscard]] Task<> keep_told(Round& round);
  [[nodiscard]] Task<Result<UsageSnapshot, UsageFailure>> fetch(Kind kind);
  [[nodiscard]] Task<> fetch_average(Round& round);
  void tell(Round& round, UsageKept const& kept);
  void take(Round& round, UsageSnapshot const& snapshot);
  void take(Round& round, UsageFailure const& failure);

  Ports ports_;
  std::string appid_;
  SpuIds spu_ids_;
  seconds rhythm_;
  std::array<Round, 2> rounds_{Round{.kind = Kind::quick}, Round{.kind = Kind::realtime}};
  bool stopping_ = false;
  Signal wake_;
  Signal answered_;
};

}  // namespace onetap::core
