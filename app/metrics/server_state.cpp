#include "app/metrics/server_state.hpp"

#include <chrono>

#include "app/metrics/samples.hpp"

namespace onetap::app {
namespace {

using Position = core::CircuitBreaker::Position;

double seconds_of(core::SteadyTime::duration time) { return std::chrono::duration<double>(time).count(); }

double timestamp_of(core::WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

double number(std::uint64_t count) { return static_cast<double>(count); }

double flag(bool is_so) { return is_so ? 1 : 0; }

void sample_listeners(ServerState const& state, Samples& samples) {
  samples.gauge("onetap_http_connections", "Connections held, silent ones included.");
  samples.add(number(state.public_connections), {{"listener", "public"}});
  samples.add(number(state.operator_connections), {{"listener", "operator"}});
  samples.gauge("onetap_load_shedding_level",
                "What is refused with SERVER_BUSY before it is begun: 0 nothing, 1 logins, quota and events, "
                "2 codes, too.");
  samples.add(static_cast<double>(state.shedding));
  samples.gauge("onetap_sessions", "Sessions that are open.");
  samples.add(number(state.sessions));
  samples.gauge("onetap_certificate_expiry_timestamp_seconds", "When the listeners' certificate ends.");
  if (state.certificate_until) samples.add(timestamp_of(*state.certificate_until));
}

void sample_pushes(core::PushCounts const& pushes, Samples& samples) {
  samples.counter("onetap_pushes_total", "Messages that came to /wechat/push.");
  samples.add(number(pushes.alarms), {{"outcome", "alarm"}});
  samples.add(number(pushes.repeats), {{"outcome", "repeat"}});
  samples.add(number(pushes.unknown), {{"outcome", "unknown"}});
  samples.add(number(pushes.forged), {{"outcome", "forged"}});
  samples.add(number(pushes.unreadable), {{"outcome", "unreadable"}});
}

void sample_ledger(ServerState const& state, Samples& samples) {
  storage::LedgerStatistics const& ledger = state.ledger;
  samples.gauge("onetap_ledger_writable", "1 while codes can be recorded; 0: disk or queue is full.");
  samples.add(flag(state.ledger_writable));
  samples.gauge("onetap_ledger_queue_commands", "What waits for the storage thread.");
  samples.add(number(ledger.queued), {{"queue", "codes"}});
  samples.add(number(ledger.events_queued), {{"queue", "events"}});
  samples.counter("onetap_ledger_transactions_total", "Transactions of the ledger.");
  samples.add(number(ledger.transactions));
  samples.counter("onetap_ledger_commands_total", "Commands in those transactions.");
  samples.add(number(ledger.commands));
  samples.counter("onetap_ledger_refused_total", "Commands refused because disk or queue was full.");
  samples.add(number(ledger.refused));
  samples.counter("onetap_ledger_abandoned_total",
                  "Codes that could be tried again, and never were: they are in doubt.");
  samples.add(number(ledger.abandoned));
  samples.counter("onetap_ledger_numbers_erased_total", "Stored numbers erased after the replay window.");
  samples.add(number(ledger.numbers_erased));
  samples.gauge(
      "onetap_wal_kept_by_reader_seconds",
      "How long a reader's open transaction has kept erased numbers in the write-ahead log; 0: none "
      "does.");
  auto const& since = ledger.wal_kept_since;
  samples.add(since ? seconds_of(state.now - *since) : 0);
}

void sample_lines(net::LineStatistics const& lines, Samples& samples) {
  samples.gauge("onetap_wechat_connections_idle", "Connections to WeChat that wait for a request.");
  samples.add(number(lines.idle));
  samples.counter("onetap_wechat_connections_opened_total", "Connections to WeChat that were opened.");
  samples.add(number(lines.opened));
  samples.counter("onetap_wechat_connection_failures_total",
                  "Attempts at a connection to WeChat that failed at every address.");
  samples.add(number(lines.failed));
}

void sample_exchanges(ServerState const& state, Samples& samples) {
  samples.gauge("onetap_app_ready", "1 while an exchange would not fail for the mini program's own reasons.");
  for (auto const& each : state.mini_programs) samples.add(flag(each.serves), {{"app", each.appid}});
  samples.gauge("onetap_exchanges_in_flight", "Codes that are being exchanged.");
  for (auto const& each : state.mini_programs)
    samples.add(number(each.exchanges_in_flight), {{"app", each.appid}});
  samples.gauge("onetap_wechat_turns", "Exchanges that have their turn at WeChat, or wait for it.");
  for (auto const& each : state.mini_programs) {
    samples.add(number(each.calls.under_way), {{"app", each.appid}, {"state", "under_way"}});
    samples.add(number(each.calls.waiting), {{"app", each.appid}, {"state", "waiting"}});
  }
  samples.gauge("onetap_breaker_state",
                "1 for the circuit breaker's state: closed, open (no code is sent), or trial (one is).");
  for (auto const& each : state.mini_programs) {
    Position const position = each.calls.position;
    bool const is_trial = position == Position::trial || position == Position::trial_sent;
    samples.add(flag(position == Position::closed), {{"app", each.appid}, {"state", "closed"}});
    samples.add(flag(position == Position::open), {{"app", each.appid}, {"state", "open"}});
    samples.add(flag(is_trial), {{"app", each.appid}, {"state", "trial"}});
  }
  samples.counter("onetap_breaker_opened_total", "How often the circuit breaker has opened.");
  for (auto const& each : state.mini_programs) {
    for (core::OutageCause const cause : core::outage_causes) {
      samples.add(number(each.calls.opened.at(static_cast<std::size_t>(cause))),
                  {{"app", each.appid}, {"cause", core::to_string(cause)}});
    }
  }
}

void sample_tokens(ServerState const& state, Samples& samples) {
  samples.gauge("onetap_token_held", "1 while there is an access_token.");
  for (auto const& each : state.mini_programs)
    samples.add(flag(each.token.fetched_at.has_value()), {{"app", each.appid}});
  samples.gauge("onetap_token_age_seconds", "Since the access_token was fetched.");
  for (auto const& each : state.mini_programs) {
    if (each.token.fetched_at)
      samples.add(seconds_of(state.now - *each.token.fetched_at), {{"app", each.appid}});
  }
  samples.gauge("onetap_token_left_seconds", "Until the access_token ends.");
  for (auto const& each : state.mini_programs) {
    if (each.token.expires_at)
      samples.add(seconds_of(*each.token.expires_at - state.now), {{"app", each.appid}});
  }
  samples.counter("onetap_token_refreshes_total",
                  "Times an access_token was asked for; misconfigured: the operator must act.");
  for (auto const& each : state.mini_programs) {
    samples.add(number(each.token.fetched), {{"app", each.appid}, {"outcome", "ok"}});
    samples.add(number(each.token.failed), {{"app", each.appid}, {"outcome", "failed"}});
    samples.add(number(each.token.misconfigured), {{"app", each.appid}, {"outcome", "misconfigured"}});
  }
  samples.counter("onetap_token_drops_total", "Tokens that WeChat refused before their end.");
  for (auto const& each : state.mini_programs) samples.add(number(each.token.dropped), {{"app", each.appid}});
}

template <class Value>
void sample_quota(ServerState const& state, Samples& samples, Value value) {
  for (auto const& each : state.mini_programs) {
    for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
      auto const& figures = each.quota.at(static_cast<std::size_t>(kind));
      std::optional<double> const known = figures ? value(*figures) : std::nullopt;
      if (known) samples.add(*known, {{"app", each.appid}, {"kind", core::to_string(kind)}});
    }
  }
}

void sample_quotas(ServerState const& state, Samples& samples) {
  using core::QuotaFigures;
  using Known = std::optional<double>;
  samples.gauge("onetap_quota_units",
                "Units of the packs in force, by WeChat; 0: exempt from fees, or there are none.");
  sample_quota(state, samples, [](QuotaFigures const& of) { return Known(static_cast<double>(of.units)); });
  samples.gauge("onetap_quota_left_units",
                "Units left, by WeChat's last figures less what was counted here since.");
  sample_quota(state, samples, [](QuotaFigures const& of) { return Known(static_cast<double>(of.left)); });
  // promtool wants seconds, not days.
  samples.gauge("onetap_quota_time_left_seconds", "How long the units last, at WeChat's average of late.");
  sample_quota(state, samples, [](QuotaFigures const& of) {
    constexpr double seconds_a_day = 86400;
    return of.days_left ? Known(*of.days_left * seconds_a_day) : std::nullopt;
  });
  samples.gauge("onetap_quota_as_of_timestamp_seconds", "When WeChat told its figures.");
  sample_quota(state, samples, [](QuotaFigures const& of) { return Known(timestamp_of(of.as_of)); });
}

}  // namespace

void sample(ServerState const& state, Samples& samples) {
  samples.gauge("onetap_ready", "1 while /readyz says that this server is.");
  samples.add(flag(state.ready));
  sample_listeners(state, samples);
  sample_pushes(state.pushes, samples);
  sample_ledger(state, samples);
  sample_lines(state.lines, samples);
  sample_exchanges(state, samples);
  sample_tokens(state, samples);
  sample_quotas(state, samples);
  samples.gauge("onetap_clock_offset_seconds", "WeChat's clock less this machine's, to a second or so.");
  if (state.clock_offset) samples.add(static_cast<double>(state.clock_offset->count()));
}

}  // namespace onetap::app
