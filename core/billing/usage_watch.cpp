#include "core/billing/usage_watch.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

bool are_distinct(std::vector<PackUsage> const& packs) {
  std::set<std::string_view> names;
  return std::ranges::all_of(packs, [&](PackUsage const& pack) { return names.insert(pack.pkg_id).second; });
}

}  // namespace

std::string_view to_string(UsageFault fault) {
  switch (fault) {
    case UsageFault::unavailable: return "unavailable";
    case UsageFault::token_refused: return "token_refused";
    case UsageFault::not_entitled: return "not_entitled";
    case UsageFault::no_figures: break;
  }
  return "no_figures";
}

UsageWatch::UsageWatch(Ports ports, std::string appid, SpuIds spu_ids, seconds rhythm)
    : ports_(ports), appid_(std::move(appid)), spu_ids_(spu_ids), rhythm_(rhythm) {}

Task<> UsageWatch::run() {
  co_await shield_from_cancellation();
  for (Round& round : rounds_) round.kept_told = ports_.standing.told_percent(round.kind);
  while (!stopping_) {
    for (Round& round : rounds_) {
      if (stopping_) break;
      co_await keep_told(round);
      if (stopping_ || ports_.clock.steady() < round.next) continue;
      co_await ask(round);
    }
    SteadyTime const next = std::ranges::min(rounds_, {}, &Round::next).next;
    if (stopping_) break;
    [[maybe_unused]] bool const told = co_await ports_.clock.wait(wake_, next);
  }
  for (Round& round : rounds_) co_await keep_told(round);
}

void UsageWatch::stop() {
  stopping_ = true;
  wake_.notify_all();
  answered_.notify_all();
}

Task<bool> UsageWatch::ask_now(SteadyTime deadline) {
  SteadyTime const since = ports_.clock.steady() - limits::usage_interval_min;
  auto const is_answered = [since](Round const& round) { return !round.is_under_way && round.asked > since; };
  if (!std::ranges::all_of(rounds_, is_answered)) ask_soon();
  while (!std::ranges::all_of(rounds_, is_answered) && !stopping_ && ports_.clock.steady() < deadline) {
    [[maybe_unused]] bool const told = co_await ports_.clock.wait(answered_, deadline);
  }
  co_return std::ranges::all_of(rounds_, is_answered) && std::ranges::all_of(rounds_, &Round::is_kept);
}

void UsageWatch::ask_soon() {
  for (Round& round : rounds_) {
    round.next = std::min(round.next, round.asked + limits::usage_interval_min);
    round.is_wanted_again = round.is_under_way;
  }
  wake_.notify_all();
}

std::optional<UsageFault> UsageWatch::fault(Kind kind) const {
  auto const round = std::ranges::find(rounds_, kind, &Round::kind);
  return round->has_told ? std::optional(round->told) : std::nullopt;
}

Task<> UsageWatch::ask(Round& round) {
  round.asked = ports_.clock.steady();
  round.is_under_way = true;
  auto const snapshot = co_await fetch(round.kind);
  if (stopping_) co_return;
  round.is_kept = false;
  if (!snapshot) {
    take(round, snapshot.error());
  } else {
    auto const kept = co_await ports_.store.record_usage(*snapshot);
    if (!kept) ports_.log.warn("usage_not_kept", {{"app", appid_}, {"kind", to_string(round.kind)}});
    if (kept) tell(round, *kept);
    round.is_kept = kept.has_value();
    take(round, *snapshot);
  }
  round.is_under_way = false;
  answered_.notify_all();
  ports_.changed();
  if (std::exchange(round.is_wanted_again, false))
    round.next = std::min(round.next, round.asked + limits::usage_interval_min);
  co_await keep_told(round);
  bool const wants_average = snapshot && ports_.clock.steady() >= round.next_average && !stopping_;
  if (wants_average) co_await fetch_average(round);
}

// What was pushed, and its end, are to outlive a restart; what was not kept is kept with the next answer.
Task<> UsageWatch::keep_told(Round& round) {
  auto const told = ports_.standing.told_percent(round.kind);
  if (told == round.kept_told) co_return;
  PushedUsage pushed{.appid = appid_, .kind = round.kind, .told = told, .at = ports_.clock.wall()};
  bool const is_kept = co_await ports_.store.keep_pushed(std::move(pushed));
  if (is_kept) round.kept_told = told;
}

void UsageWatch::tell(Round& round, UsageKept const& kept) {
  for (UsageKept::LeftOut const& pack : kept.left_out) {
    if (!round.told_left_out.insert(pack.pkg_id).second) continue;
    ports_.log.warn(
        "usage_pack_left_out",
        {{"app", appid_}, {"kind", to_string(round.kind)}, {"pack", pack.pkg_id}, {"what", pack.why}});
  }
  if (round.told_left_out.size() > limits::usage_packs_max) round.told_left_out.clear();
  for (std::int64_t const consumption : kept.doubts_lost) {
    ports_.log.always("doubt_resolved", {{"app", appid_},
                                         {"kind", to_string(round.kind)},
                                         {"consumption", consumption},
                                         {"as", "lost"},
                                         {"hint", "WeChat's figures charge all codes in doubt"}});
  }
}

void UsageWatch::take(Round& round, UsageSnapshot const& snapshot) {
  if (std::exchange(round.has_told, false))
    ports_.log.always("usage_available", {{"app", appid_}, {"kind", to_string(round.kind)}});
  ports_.standing.observed(snapshot);
  ports_.log.debug("usage", {{"app", appid_},
                             {"kind", to_string(round.kind)},
                             {"packs", snapshot.packs.size()},
                             {"units", snapshot.units()},
                             {"units_left", snapshot.units_left()}});
  bool const is_new = snapshot.packs.empty() && !std::exchange(round.has_told_exempt, snapshot.packs.empty());
  if (is_new) {
    ports_.log.always("usage_has_no_packs",
                      {{"app", appid_},
                       {"kind", to_string(round.kind)},
                       {"hint", "WeChat names no resource pack: exempt from fees, or never used"}});
  }
  constexpr int when_little_is_left = 5;
  QuotaLevel const level = ports_.standing.quota(round.kind).level;
  bool const is_little = level == QuotaLevel::low || level == QuotaLevel::exhausted;
  seconds pause = is_little ? rhythm_ / when_little_is_left : rhythm_;
  if (level == QuotaLevel::exhausted) pause = std::min(pause, limits::usage_exhausted_rhythm);
  round.backoff = seconds(0);
  round.next = ports_.clock.steady() + std::max(pause, limits::usage_interval_min);
}

// What the operator has to mend is no matter of minutes.
void UsageWatch::take(Round& round, UsageFailure const& failure) {
  bool const is_news = !round.has_told || round.told != failure.fault;
  if (is_news) {
    ports_.log.warn("usage_unavailable", {{"app", appid_},
                                          {"kind", to_string(round.kind)},
                                          {"fault", to_string(failure.fault)},
                                          {"errcode", failure.errcode.value_or(0)},
                                          {"rid", failure.rid},
                                          {"hint", failure.hint}});
  }
  round.has_told = true;
  round.told = failure.fault;
  round.backoff = std::clamp(2 * round.backoff, limits::usage_backoff_min, limits::usage_backoff_max);
  if (failure.fault == UsageFault::not_entitled) round.backoff = limits::usage_backoff_max;
  round.next = ports_.clock.steady() + round.backoff;
}

// A token that is refused here is not dropped: codes may do well with it, and those find out by themselves.
Task<Result<UsageSnapshot, UsageFailure>> UsageWatch::fetch(Kind kind) {
  UsageSnapshot snapshot{.appid = appid_, .kind = kind, .as_of = ports_.clock.wall()};
  SteadyTime const deadline = ports_.clock.steady() + limits::usage_call_time;
  while (true) {
    auto const token = co_await ports_.tokens.get(deadline);
    if (!token) co_return UsageFailure{.hint = "no access_token"};
    WeChatReply const reply = co_await ports_.wechat.get_charge_usage(token->token, spu_ids_.of(kind),
                                                                      snapshot.packs.size(), deadline);
    auto page = judge_usage_answer(reply);
    if (!page) co_return page.error();
    if (stopping_) co_return UsageFailure{.hint = "stopping"};
    std::size_t const total = page->total;
    bool const is_last = page->packs.empty() || snapshot.packs.size() + page->packs.size() >= total;
    std::ranges::move(page->packs, std::back_inserter(snapshot.packs));
    if (!is_last) continue;
    // Half of the packs would say less is left than is.
    if (snapshot.packs.size() != total || !are_distinct(snapshot.packs))
      co_return UsageFailure{.hint = "the pages of packs do not add up to their total"};
    co_return snapshot;
  }
}

// Without it the rate of late is not known, and what is left is judged by its share alone.
Task<> UsageWatch::fetch_average(Round& round) {
  round.next_average = ports_.clock.steady() + limits::usage_average_rhythm;
  SteadyTime const deadline = ports_.clock.steady() + limits::usage_call_time;
  auto const token = co_await ports_.tokens.get(deadline);
  if (!token) co_return;
  WeChatReply const reply =
      co_await ports_.wechat.get_recent_average(token->token, spu_ids_.of(round.kind), deadline);
  auto const average = judge_average_answer(reply);
  if (average) ports_.standing.averaged(round.kind, *average);
}

}  // namespace onetap::core
