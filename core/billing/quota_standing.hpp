#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/billing/quota.hpp"
#include "core/billing/usage.hpp"

namespace onetap::core {

/// ONETAP_QUOTA_LOW: whichever is reached first.
struct QuotaLow {
  double share = 0.1;  // of the units of the packs in force
  double days = 3;     // that what is left lasts, at the rate of late
};

/// What WeChat has told of one kind's packs in force, and what came since.
struct QuotaFigures {
  WallTime as_of{};
  std::int64_t units = 0;  // 0: exempt from fees, or nothing is in force
  std::int64_t left = 0;   // by WeChat's figures, less what this server has counted since; not below 0
  std::optional<double> days_left{};  // at WeChat's average of late; none: it is not known
};

/// How much quota one mini program has left, as far as WeChat tells, from memory (contract, GET
/// /phone/quota). Only WeChat says `exhausted`; what this server has counted since its last figures makes it
/// `low` at most.
class QuotaStanding {
 public:
  explicit QuotaStanding(QuotaLow low) : low_(low) {}

  /// WeChat's figures, of this app.
  void observed(UsageSnapshot const& snapshot);
  /// WeChat's average of late, in units a month.
  void averaged(Kind kind, std::int64_t units_a_month) { of_kinds_[kind].units_a_month = units_a_month; }
  /// WeChat has pushed that so many percent were left at that time (facts §2.5). Figures that are older, or
  /// lag behind it, do not end what 0 % says; a pack bought since does, and so do figures far from nothing
  /// unless those before the push were near it.
  void told(Kind kind, int percent_left, WallTime at);
  /// Of an earlier run, before anything else. What was pushed more than a day before `now` is forgotten:
  /// where WeChat gives no figures, nothing else would ever end it.
  void restore(LastUsage const& last, WallTime now);
  /// A code has come: WeChat counts it, too.
  void counted(Kind kind) { ++of_kinds_[kind].counted_since; }

  [[nodiscard]] Quota quota(Kind kind) const;
  /// None until WeChat has told.
  [[nodiscard]] std::optional<QuotaFigures> figures(Kind kind) const;

  /// What forecast and alarms go by: WeChat's last figures, its average, and what it pushed last.
  [[nodiscard]] UsageSnapshot const* snapshot(Kind kind) const;
  [[nodiscard]] std::optional<double> wechat_a_day(Kind kind) const;
  /// None once units were bought since.
  [[nodiscard]] std::optional<ToldPercent> told_percent(Kind kind) const;

 private:
  struct OfKind {
    std::optional<WallTime> as_of{};  // none: WeChat has not told
    bool is_used_up = false;
    std::int64_t units = 0;  // 0: exempt from fees, or nothing is in force
    std::int64_t left = 0;
    std::int64_t counted_since = 0;
    std::int64_t units_a_month = 0;
    std::optional<UsageSnapshot> snapshot{};
    std::optional<int> told_percent{};  // none: not told, or bought since
    std::optional<WallTime> told_at{};
    bool told_exhausted = false;
    std::set<std::string> packs{};                           // in force
    std::optional<std::set<std::string>> packs_when_told{};  // none: they were not known then
    bool was_far_when_told = false;                          // from nothing, as far as was known
  };

  [[nodiscard]] static std::int64_t left_of(OfKind const& of);
  [[nodiscard]] static bool is_far_from_nothing(OfKind const& of);
  [[nodiscard]] static double units_a_day(OfKind const& of);
  [[nodiscard]] bool is_low(OfKind const& of) const;

  QuotaLow low_;
  std::map<Kind, OfKind> of_kinds_;
};

}  // namespace onetap::core
