#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/billing/spending.hpp"
#include "core/clock.hpp"

namespace onetap::core {

/// Something that is the case now, and that an operator should know.
struct AlarmCondition {
  AlarmSubject subject;
  int step = 0;
  json::object facts{};
};

/// All that is the case at one moment.
struct AlarmObservation {
  std::vector<AlarmCondition> conditions;  // at most one of a subject
  std::map<QuotaOwner, std::int64_t>
      units_given{};  // where WeChat's figures are known: Forecast::units_given
};

/// Which alarms are on, and what is news: each is told once, then at each worse step; again when units were
/// bought since, or when it had been over for its quiet time. Pure.
class AlarmBook {
 public:
  using MakeId = std::function<std::string(WallTime)>;

  explicit AlarmBook(MakeId make_id) : make_id_(std::move(make_id)) {}

  /// Those that an earlier run told and did not end; before the first look.
  void load(std::vector<Alarm> active, SteadyTime now);

  [[nodiscard]] std::vector<AlarmNews> look(AlarmObservation const& observed, WallTime wall_now,
                                            SteadyTime now);

  /// The newest last.
  [[nodiscard]] std::vector<Alarm> active() const;

  /// The receiver has it.
  void was_sent(std::string const& id, WallTime at);

 private:
  struct Entry {
    std::optional<Alarm> alarm{};  // none: the case, and not told yet
    SteadyTime since;              // of the case that is not told
    SteadyTime seen;               // the case then
    int step = 0;
    std::optional<SteadyTime> milder_since{};
    std::int64_t units_given = 0;  // the fewest since it was raised
  };
  using Units = std::map<QuotaOwner, std::int64_t>;

  void see(AlarmCondition const& condition, Units const& units, WallTime wall_now, SteadyTime now,
           std::vector<AlarmNews>& news);
  [[nodiscard]] bool is_over(AlarmSubject const& subject, Entry& entry, Units const& units, SteadyTime now);
  [[nodiscard]] static bool was_bought(AlarmSubject const& subject, Entry& entry, Units const& units);
  void raise(Entry& entry, AlarmCondition const& condition, Units const& units, WallTime wall_now,
             std::vector<AlarmNews>& news);

  MakeId make_id_;
  std::map<AlarmSubject, Entry> entries_;  // limits::alarms_max
};

}  // namespace onetap::core
