#pragma once

#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/alarm/alarm_book.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"

namespace onetap::core {

/// Looks again and again at what is the case; what is news goes into the ledger, then into the log and to the
/// receiver. One ledger that cannot be written keeps nothing from being told.
class AlarmDesk {
 public:
  struct Ports {
    Clock& clock;
    AlarmStore& store;
    AlarmReceiver* receiver;  // null: there is none
    Log& log;
  };
  using Observe = std::function<AlarmObservation()>;

  AlarmDesk(Ports ports, Observe observe, AlarmBook::MakeId make_id);
  AlarmDesk(AlarmDesk const&) = delete;
  AlarmDesk& operator=(AlarmDesk const&) = delete;
  ~AlarmDesk() = default;

  /// Of earlier runs: those that are on, and the last ones that ended, the newest last. Before run(). What
  /// did not reach the receiver goes to it again, for limits::alarm_resent_for.
  void load(std::vector<Alarm> alarms);

  /// It has happened: that is the case until the next look, and then for the alarm's quiet time over.
  void happened(AlarmSubject subject, json::object facts);
  /// The receiver has it.
  void was_sent(std::string const& id);

  /// Until stop().
  [[nodiscard]] Task<> run();
  void stop();
  /// Something may have changed.
  void look_soon() { wake_.notify_all(); }

  [[nodiscard]] std::vector<Alarm> active() const { return book_.active(); }
  /// Told last, ended or not, the newest last.
  [[nodiscard]] std::deque<Alarm> const& told_last() const { return told_last_; }

 private:
  [[nodiscard]] Task<> look();
  [[nodiscard]] Task<> write();
  void tell(AlarmNews const& news) const;
  void note(AlarmNews const& news);

  Ports ports_;
  Observe observe_;
  AlarmBook book_;
  std::map<AlarmSubject, json::object> happened_;  // since the last look; limits::alarms_max
  AlarmChanges unwritten_;                         // what the ledger has not taken yet
  std::deque<Alarm> told_last_;                    // limits::alarms_remembered
  bool stopping_ = false;
  Signal wake_;
};

}  // namespace onetap::core
