#include "app/mini_program.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <stdexcept>
#include <utility>
#include <variant>

#include "core/alarm/quota_conditions.hpp"

namespace onetap::app {

MiniProgram::MiniProgram(Shared shared, Own own, TokenSourceFor const& source_for,
                         core::TokenKeeper::Jitter jitter)
    : log_(shared.log),
      account_(std::move(own.account)),
      token_source_(source_for(account_)),
      tokens_({.clock = shared.clock,
               .source = *token_source_,
               .store = shared.token_store,
               .keyring = shared.keyring,
               .log = shared.log},
              account_.appid, own.wechat_answer_time, std::move(jitter)),
      calls_({.clock = shared.clock,
              .wechat = shared.wechat,
              .tokens = tokens_,
              .skew = shared.skew,
              .log = shared.log},
             account_.appid),
      clock_(shared.clock),
      figures_changed_(shared.figures_changed),
      standing_(own.quota_low),
      caps_(own.daily_limits),
      usage_({.clock = shared.clock,
              .wechat = shared.charges,
              .tokens = tokens_,
              .store = shared.usage_store,
              .standing = standing_,
              .log = shared.log,
              .changed = shared.figures_changed},
             account_.appid, own.spu_ids, own.usage_poll),
      consuming_(
          {.clock = shared.clock,
           .ledger = shared.ledger,
           .sessions = shared.session_store,
           .wechat = shared.wechat,
           .tokens = tokens_,
           .calls = calls_,
           .keyring = shared.keyring,
           .log = shared.log,
           .charged =
               [this](core::Kind kind, std::optional<core::CallerKey> const& user) {
                 standing_.counted(kind);
                 caps_.counted(user, clock_.wall());
               },
           .observer = own.observer,
           .alarmed =
               [this, happened = shared.happened](std::string_view alarm, core::Answer const& answer) {
                 auto const name = core::alarm_name_from(alarm);
                 if (!name) return;
                 happened(
                     {.name = *name, .appid = account_.appid},
                     {{"errcode", answer.errcode.value_or(0)}, {"rid", answer.rid}, {"hint", answer.hint}});
               }},
          own.wechat_answer_time),
      logins_({.clock = shared.clock,
               .wechat = shared.wechat,
               .store = shared.session_store,
               .keyring = shared.keyring,
               .log = shared.log},
              account_, shared.sessions) {}

void MiniProgram::use(core::AppSecret secret) {
  bool const is_new = secret.reveal() != account_.secret.reveal();
  account_.secret = std::move(secret);
  if (is_new) tokens_.credentials_changed();
}

void MiniProgram::restore(core::StoredToken const& token) {
  if (token_source_->is_ours()) tokens_.restore(token);
}

void MiniProgram::hear(core::PushEvent const& event) {
  if (auto const* const quota = std::get_if<core::QuotaAlarm>(&event)) {
    standing_.told(quota->kind, quota->percent_left(), quota->created);
    figures_changed_();  // before WeChat's list, which may lag, takes it back
    bool const is_exhausted = quota->percent_left() == 0;
    std::array const fields{core::Field("app", appid()), core::Field("kind", core::to_string(quota->kind)),
                            core::Field("percent_left", quota->percent_left()),
                            core::Field("units_left", quota->units_left),
                            core::Field("units_total", quota->units_total)};
    // Without a key, whoever has seen one push can send others.
    bool const is_told =
        quota_lines_[{quota->kind, quota->percent_left()}].happened(clock_.steady()).has_value();
    if (is_told)
      log_.write(is_exhausted ? core::LogLevel::error : core::LogLevel::warn,
                 is_exhausted ? "quota_exhausted" : "quota_low", fields);
  } else if (auto const* const validity = std::get_if<core::ValidityAlarm>(&event)) {
    log_.warn("pack_ends",
              {{"app", appid()}, {"kind", core::to_string(validity->kind)}, {"end", validity->end}});
  }
  usage_.ask_soon();
}

core::Quota MiniProgram::quota(core::Kind kind, std::optional<core::CallerKey> const& user) const {
  core::Quota quota = standing_.quota(kind);
  if (!quota.unavailable) quota.unavailable = caps_.reached(user, clock_.wall());
  return quota;
}

void MiniProgram::count(core::CodesOfUser const& codes) {
  caps_.counted(codes.user, clock_.wall(), codes.codes);
}

std::optional<core::Forecast> MiniProgram::forecast(core::Kind kind, core::Spending const& spending) const {
  core::UsageSnapshot const* const snapshot = standing_.snapshot(kind);
  if (snapshot == nullptr) return std::nullopt;
  core::QuotaOwner const owner{.appid = account_.appid, .kind = kind};
  core::WallTime const now = clock_.wall();
  core::SpendingRates const rates{.ours_a_day = spending.units_a_day(owner, now),
                                  .wechat_a_day = standing_.wechat_a_day(kind)};
  return core::forecast(*snapshot, rates, now);
}

void MiniProgram::observe(core::Spending const* spending, core::AlarmObservation& observed) {
  auto const add = [&](core::AlarmName name, core::json::object facts) {
    observed.conditions.push_back(
        {.subject = {.name = name, .appid = account_.appid}, .facts = std::move(facts)});
  };
  if (tokens_.misconfigured()) {
    add(core::AlarmName::wechat_refused_configuration, {{"of", "access_token"}});
  } else if (!tokens_.current()) {
    add(core::AlarmName::token_unavailable, {});
  }
  if (auto const outage = calls_.outage()) {
    bool const is_misconfigured = *outage == core::OutageCause::misconfigured;
    if (!is_misconfigured) add(core::AlarmName::calls_stopped, {{"cause", core::to_string(*outage)}});
    if (is_misconfigured && !tokens_.misconfigured())
      add(core::AlarmName::wechat_refused_configuration, {{"of", "getuserphonenumber"}});
  }
  for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
    if (spending != nullptr) observe_quota(kind, *spending, observed);
    auto const fault = usage_.fault(kind);
    if (!fault) continue;
    observed.conditions.push_back({.subject = {.name = core::AlarmName::usage_unavailable,
                                               .appid = account_.appid,
                                               .kind = std::string(core::to_string(kind))},
                                   .facts = {{"fault", core::to_string(*fault)}}});
  }
}

void MiniProgram::observe_quota(core::Kind kind, core::Spending const& spending,
                                core::AlarmObservation& observed) const {
  core::QuotaOwner const owner{.appid = account_.appid, .kind = kind};
  core::WallTime const now = clock_.wall();
  auto const add_all = [&](std::vector<core::AlarmCondition> conditions) {
    std::ranges::move(conditions, std::back_inserter(observed.conditions));
  };
  auto const foreseen = forecast(kind, spending);
  if (foreseen) {
    observed.units_given[owner] = foreseen->units_given;
    add_all(core::quota_conditions(*foreseen, standing_.told_percent(kind), now));
  }
  add_all(core::spending_conditions(owner, spending, foreseen && foreseen->is_metered, now));
}

std::string_view MiniProgram::unreadiness() {
  if (!tokens_.current())
    return tokens_.misconfigured() ? "access_token refused: see the log" : "no access_token yet";
  return calls_.refusal() ? "no codes are sent to WeChat at the moment: see the log" : "";
}

MiniProgramState MiniProgram::state() {
  return {.appid = appid(),
          .serves = unreadiness().empty(),
          .exchanges_in_flight = consuming_.in_flight(),
          .calls = calls_.statistics(),
          .token = tokens_.statistics(),
          .quota = {standing_.figures(core::Kind::quick), standing_.figures(core::Kind::realtime)}};
}

MiniProgram& MiniPrograms::of(std::string_view appid) const {
  auto const found = std::ranges::find_if(all_, [appid](auto const& each) { return each->appid() == appid; });
  if (found == all_.end()) throw std::logic_error("a mini program that is not served was let in");
  return **found;
}

std::vector<std::string> MiniPrograms::appids() const {
  std::vector<std::string> appids;
  appids.reserve(all_.size());
  for (auto const& each : all_) appids.emplace_back(each->appid());
  return appids;
}

}  // namespace onetap::app
