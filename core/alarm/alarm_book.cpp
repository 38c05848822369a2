#include "core/alarm/alarm_book.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

using Units = std::map<QuotaOwner, std::int64_t>;

/// None where WeChat's figures are not known, or do not matter.
std::optional<std::int64_t> units_of(AlarmSubject const& subject, Units const& units) {
  if (!rule_of(subject.name).is_of_figures) return std::nullopt;
  auto const found =
      units.find({.appid = subject.appid, .kind = subject.kind == "realtime" ? Kind::realtime : Kind::quick});
  return found == units.end() ? std::nullopt : std::optional(found->second);
}

AlarmSeverity severity_of(AlarmCondition const& condition) {
  bool const is_used_up = condition.subject.name == AlarmName::quota_low && condition.step == 0;
  return is_used_up ? AlarmSeverity::critical : rule_of(condition.subject.name).severity;
}

void end(Alarm alarm, AlarmNews::What what, WallTime at, std::vector<AlarmNews>& news) {
  alarm.ended = at;
  news.push_back({.what = what, .alarm = std::move(alarm)});
}

}  // namespace

void AlarmBook::load(std::vector<Alarm> active, SteadyTime now) {
  for (Alarm& alarm : active) {
    Entry entry{.since = now, .seen = now, .step = alarm.step, .units_given = alarm.units_given};
    AlarmSubject subject = alarm.subject;
    entry.alarm = std::move(alarm);
    if (entries_.size() < limits::alarms_max) entries_.insert_or_assign(std::move(subject), std::move(entry));
  }
}

std::vector<AlarmNews> AlarmBook::look(AlarmObservation const& observed, WallTime wall_now, SteadyTime now) {
  std::vector<AlarmNews> news;
  std::set<AlarmSubject> seen;
  for (AlarmCondition const& condition : observed.conditions) {
    if (seen.insert(condition.subject).second) see(condition, observed.units_given, wall_now, now, news);
  }
  for (auto each = entries_.begin(); each != entries_.end();) {
    auto& [subject, entry] = *each;
    bool const is_gone = !seen.contains(subject) && is_over(subject, entry, observed.units_given, now);
    if (is_gone && entry.alarm) end(*entry.alarm, AlarmNews::What::ended, wall_now, news);
    each = is_gone ? entries_.erase(each) : std::next(each);
  }
  return news;
}

void AlarmBook::see(AlarmCondition const& condition, Units const& units, WallTime wall_now, SteadyTime now,
                    std::vector<AlarmNews>& news) {
  AlarmRule const& rule = rule_of(condition.subject.name);
  auto found = entries_.find(condition.subject);
  if (found == entries_.end()) {
    if (entries_.size() >= limits::alarms_max) return;
    found = entries_.emplace(condition.subject, Entry{.since = now, .seen = now}).first;
  }
  Entry& entry = found->second;
  entry.seen = now;
  if (!entry.alarm) {
    if (now - entry.since >= rule.hold) raise(entry, condition, units, wall_now, news);
    return;
  }
  entry.alarm->facts = condition.facts;
  if (was_bought(condition.subject, entry, units) || condition.step < entry.step) {
    end(*entry.alarm, AlarmNews::What::replaced, wall_now, news);
    raise(entry, condition, units, wall_now, news);
  } else if (condition.step == entry.step) {
    entry.milder_since.reset();
  } else {
    if (!entry.milder_since) entry.milder_since = now;
    if (now - *entry.milder_since >= rule.quiet) entry.step = condition.step;
  }
}

void AlarmBook::raise(Entry& entry, AlarmCondition const& condition, Units const& units, WallTime wall_now,
                      std::vector<AlarmNews>& news) {
  entry.step = condition.step;
  entry.milder_since.reset();
  entry.units_given = units_of(condition.subject, units).value_or(0);
  entry.alarm = Alarm{.id = make_id_(wall_now),
                      .subject = condition.subject,
                      .step = condition.step,
                      .severity = severity_of(condition),
                      .facts = condition.facts,
                      .units_given = entry.units_given,
                      .raised = wall_now};
  news.push_back({.what = AlarmNews::What::raised, .alarm = *entry.alarm});
}

bool AlarmBook::was_bought(AlarmSubject const& subject, Entry& entry, Units const& units) {
  auto const given = units_of(subject, units);
  if (!given) return false;
  bool const is_more = *given > entry.units_given;
  // WeChat leaves out packs that are over long since: what is bought then counts all the same.
  entry.units_given = std::min(entry.units_given, *given);
  return is_more && subject.name != AlarmName::pack_expires;
}

bool AlarmBook::is_over(AlarmSubject const& subject, Entry& entry, Units const& units, SteadyTime now) {
  if (!entry.alarm) return true;
  AlarmRule const& rule = rule_of(subject.name);
  if (rule.is_of_figures && !units_of(subject, units)) {
    entry.seen = now;
    return false;
  }
  return was_bought(subject, entry, units) || now - entry.seen >= rule.quiet;
}

std::vector<Alarm> AlarmBook::active() const {
  std::vector<Alarm> alarms;
  for (auto const& [subject, entry] : entries_) {
    if (entry.alarm) alarms.push_back(*entry.alarm);
  }
  std::ranges::sort(alarms, {}, &Alarm::id);
  return alarms;
}

void AlarmBook::was_sent(std::string const& id, WallTime at) {
  for (auto& [subject, entry] : entries_) {
    if (entry.alarm && entry.alarm->id == id) entry.alarm->sent = at;
  }
}

}  // namespace onetap::core
