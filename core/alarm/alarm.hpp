#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/task.hpp"

namespace onetap::core {

namespace json = boost::json;

/// Everything that an operator is told of without asking. docs/alarms.md has the same table.
enum class AlarmName {
  quota_low,
  days_left_low,
  pack_expires,
  spending_spike,
  units_beyond_packs,
  usage_unavailable,
  token_unavailable,
  calls_stopped,
  wechat_refused_configuration,
  daily_limit_reached,
  errcode_unknown,
  watermark_mismatch,
  clock_off,
  ledger_not_writable,
  maintenance_failed,
  task_failed,
};

enum class AlarmSeverity { warning, critical };

/// What is fixed about one of them.
struct AlarmRule {
  AlarmName name;
  std::string_view text;  // as it is stored, sent and counted
  AlarmSeverity severity;
  seconds hold;                // the case for so long before it is told
  seconds quiet;               // not the case for so long before it is over; then it would be told again
  bool is_of_figures = false;  // WeChat's: where those are not known, nothing is over; a purchase ends it
  std::string_view chinese;    // what it means, and what to do
  std::string_view english;
};

[[nodiscard]] AlarmRule const& rule_of(AlarmName name);
[[nodiscard]] std::vector<AlarmRule> const& alarm_rules();
[[nodiscard]] std::string_view to_string(AlarmName name);
[[nodiscard]] std::string_view to_string(AlarmSeverity severity);
[[nodiscard]] std::optional<AlarmName> alarm_name_from(std::string_view text);

/// What an alarm is about; there is one of each at a time.
struct AlarmSubject {
  AlarmName name = AlarmName::quota_low;
  std::string appid{};  // empty: of the whole server
  std::string kind{};   // "quick", "realtime"; empty: of both
  std::string what{};   // a pack's id, a task's name; mostly empty

  auto operator<=>(AlarmSubject const&) const = default;
};

struct Alarm {
  std::string id;  // a ULID
  AlarmSubject subject;
  int step = 0;  // of those that have steps (20, 10, 5, 0 %; 15, 7, 3, 1 days): which; the lower, the worse
  AlarmSeverity severity = AlarmSeverity::warning;
  json::object facts;            // its particulars: figures and short texts, nothing secret
  std::int64_t units_given = 0;  // when it was raised, of those that a purchase ends
  WallTime raised;
  std::optional<WallTime> ended{};
  std::optional<WallTime> sent{};  // to the receiver

  [[nodiscard]] bool is_active() const { return !ended; }
};

struct AlarmNews {
  enum class What {
    raised,
    ended,
    replaced,  // by the same at another step, which is told; this is not
  };
  What what = What::raised;
  Alarm alarm;
};

/// What must survive a restart, all of it or nothing.
struct AlarmChanges {
  struct At {
    std::string id;
    WallTime at;
  };
  std::vector<Alarm> raised;
  std::vector<At> ended;
  std::vector<At> sent;

  [[nodiscard]] bool empty() const { return raised.empty() && ended.empty() && sent.empty(); }
};

/// Port: where they survive.
class AlarmStore {
 public:
  AlarmStore() = default;
  AlarmStore(AlarmStore const&) = delete;
  AlarmStore& operator=(AlarmStore const&) = delete;
  virtual ~AlarmStore() = default;

  /// False when nothing was written. What is already written stays as it is: it may be told again.
  [[nodiscard]] virtual Task<bool> change_alarms(AlarmChanges changes) = 0;
};

/// Port: whoever is told at once. Never waits.
class AlarmReceiver {
 public:
  AlarmReceiver() = default;
  AlarmReceiver(AlarmReceiver const&) = delete;
  AlarmReceiver& operator=(AlarmReceiver const&) = delete;
  virtual ~AlarmReceiver() = default;

  virtual void tell(AlarmNews const& news) = 0;
};

}  // namespace onetap::core
