#include "core/alarm/alarm_desk.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <utility>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

template <class Item>
void keep_newest(std::vector<Item>& items) {
  if (items.size() > limits::alarms_max) items.erase(items.begin());
}

}  // namespace

AlarmDesk::AlarmDesk(Ports ports, Observe observe, AlarmBook::MakeId make_id)
    : ports_(ports), observe_(std::move(observe)), book_(std::move(make_id)) {}

void AlarmDesk::load(std::vector<Alarm> alarms) {
  std::vector<Alarm> active;
  for (Alarm& alarm : alarms) {
    told_last_.push_back(alarm);
    if (told_last_.size() > limits::alarms_remembered) told_last_.pop_front();
    if (!alarm.is_active()) continue;
    bool const is_young = ports_.clock.wall() - alarm.raised < limits::alarm_resent_for;
    if (!alarm.sent && is_young && ports_.receiver != nullptr)
      ports_.receiver->tell({.what = AlarmNews::What::raised, .alarm = alarm});
    active.push_back(std::move(alarm));
  }
  book_.load(std::move(active), ports_.clock.steady());
}

void AlarmDesk::happened(AlarmSubject subject, json::object facts) {
  if (happened_.size() >= limits::alarms_max && !happened_.contains(subject)) return;
  happened_.insert_or_assign(std::move(subject), std::move(facts));
  wake_.notify_all();
}

void AlarmDesk::was_sent(std::string const& id) {
  WallTime const now = ports_.clock.wall();
  book_.was_sent(id, now);
  for (Alarm& alarm : told_last_) {
    if (alarm.id == id) alarm.sent = now;
  }
  unwritten_.sent.push_back({.id = id, .at = now});
  keep_newest(unwritten_.sent);
  wake_.notify_all();
}

Task<> AlarmDesk::run() {
  co_await shield_from_cancellation();
  while (!stopping_) {
    co_await look();
    if (stopping_) break;
    bool const is_due = !happened_.empty();  // while the ledger wrote
    SteadyTime const next = ports_.clock.steady() + limits::alarm_rhythm;
    if (!is_due) [[maybe_unused]]
      bool const woken = co_await ports_.clock.wait(wake_, next);
  }
  co_await write();  // what was sent in the last moment is not sent again
}

void AlarmDesk::stop() {
  stopping_ = true;
  wake_.notify_all();
}

Task<> AlarmDesk::look() {
  AlarmObservation observed = observe_();
  for (auto& [subject, facts] : std::exchange(happened_, {}))
    observed.conditions.push_back({.subject = subject, .facts = std::move(facts)});
  std::vector<AlarmNews> const news = book_.look(observed, ports_.clock.wall(), ports_.clock.steady());
  for (AlarmNews const& each : news) note(each);
  co_await write();
  for (AlarmNews const& each : news) tell(each);
}

Task<> AlarmDesk::write() {
  if (unwritten_.empty()) co_return;
  AlarmChanges changes = std::exchange(unwritten_, {});
  AlarmChanges again = changes;
  bool const written = co_await ports_.store.change_alarms(std::move(changes));
  if (written) co_return;
  // What came meanwhile is younger.
  again.sent.insert(again.sent.end(), unwritten_.sent.begin(), unwritten_.sent.end());
  unwritten_ = std::move(again);
}

void AlarmDesk::note(AlarmNews const& news) {
  Alarm const& alarm = news.alarm;
  if (news.what == AlarmNews::What::raised) {
    unwritten_.raised.push_back(alarm);
    keep_newest(unwritten_.raised);
    told_last_.push_back(alarm);
    if (told_last_.size() > limits::alarms_remembered) told_last_.pop_front();
    return;
  }
  unwritten_.ended.push_back({.id = alarm.id, .at = alarm.ended.value_or(ports_.clock.wall())});
  keep_newest(unwritten_.ended);
  auto const told = std::ranges::find(told_last_, alarm.id, &Alarm::id);
  if (told != told_last_.end()) told->ended = alarm.ended;
}

void AlarmDesk::tell(AlarmNews const& news) const {
  if (news.what == AlarmNews::What::replaced) return;
  Alarm const& alarm = news.alarm;
  std::string const facts = json::serialize(alarm.facts);
  bool const has_ended = news.what == AlarmNews::What::ended;
  std::array const fields{
      Field("alarm", to_string(alarm.subject.name)),
      Field("severity", to_string(alarm.severity)),
      Field("app", alarm.subject.appid),
      Field("kind", alarm.subject.kind),
      Field("what", alarm.subject.what),
      Field("step", alarm.step),
      Field("facts", facts),
      Field("id", alarm.id),
      Field("hint", has_ended ? std::string_view() : rule_of(alarm.subject.name).english)};
  LogLevel const level = has_ended                                   ? LogLevel::info
                         : alarm.severity == AlarmSeverity::critical ? LogLevel::error
                                                                     : LogLevel::warn;
  ports_.log.write(level, has_ended ? "alarm_ended" : "alarm", fields);
  if (ports_.receiver != nullptr) ports_.receiver->tell(news);
}

}  // namespace onetap::core
