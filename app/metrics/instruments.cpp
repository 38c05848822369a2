#include "app/metrics/instruments.hpp"

#include <prometheus/gauge.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace onetap::app {
namespace {

using prometheus::Counter;
using prometheus::Histogram;
using prometheus::Registry;

// A page waits five seconds at most, WeChat usually answers in a tenth of one.
Histogram::BucketBoundaries const& waiting_buckets() {
  static Histogram::BucketBoundaries const seconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10};
  return seconds;
}

// A disk's sync takes from a tenth of a millisecond to, on a bad day, a second.
Histogram::BucketBoundaries const& commit_buckets() {
  static Histogram::BucketBoundaries const seconds{0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                   0.025,   0.05,   0.1,   0.25,   1};
  return seconds;
}

// At rest a loop is a tenth of a millisecond late; at 50 and 250 ms requests are refused.
Histogram::BucketBoundaries const& lateness_buckets() {
  static Histogram::BucketBoundaries const seconds{0.0005, 0.001, 0.002, 0.005, 0.01,
                                                   0.02,   0.05,  0.1,   0.25,  1};
  return seconds;
}

CounterFamily& counters(Registry& registry, std::string const& name, std::string const& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

HistogramFamily& histograms(Registry& registry, std::string const& name, std::string const& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

double seconds_of(std::chrono::steady_clock::duration took) {
  return std::chrono::duration<double>(took).count();
}

struct Settled {
  core::State state;
  core::Cause cause;
};

// What an exchange can end as.
constexpr std::array settlements{Settled{core::State::ok, core::Cause::none},
                                 Settled{core::State::rejected, core::Cause::none},
                                 Settled{core::State::retryable, core::Cause::not_sent},
                                 Settled{core::State::retryable, core::Cause::token_refused},
                                 Settled{core::State::retryable, core::Cause::rate_limited},
                                 Settled{core::State::retryable, core::Cause::misconfigured},
                                 Settled{core::State::retryable, core::Cause::no_quota},
                                 Settled{core::State::in_doubt, core::Cause::timeout},
                                 Settled{core::State::in_doubt, core::Cause::connection_lost},
                                 Settled{core::State::in_doubt, core::Cause::malformed_answer},
                                 Settled{core::State::in_doubt, core::Cause::http_error},
                                 Settled{core::State::in_doubt, core::Cause::system_error},
                                 Settled{core::State::in_doubt, core::Cause::unknown_errcode},
                                 Settled{core::State::in_doubt, core::Cause::watermark}};

constexpr std::array both_kinds{core::Kind::quick, core::Kind::realtime};

template <class Enumeration>
constexpr std::size_t place_of(Enumeration value) {
  return static_cast<std::size_t>(value);
}

// Behind the problems' places: an answer without one, good or not.
std::size_t outcome_ok() { return core::problem_kinds().size(); }
std::size_t outcome_refused() { return outcome_ok() + 1; }

std::size_t outcome_of(net::AnsweredRequest const& request) {
  constexpr int first_refusal = 400;
  if (request.problem.empty()) return request.status < first_refusal ? outcome_ok() : outcome_refused();
  auto const kinds = core::problem_kinds();
  auto const found = std::ranges::find(kinds, request.problem, &core::ProblemKind::name);
  return found == kinds.end() ? outcome_refused() : static_cast<std::size_t>(found - kinds.begin());
}

std::string outcome_name(std::size_t outcome) {
  if (outcome < outcome_ok()) return std::string(core::problem_kinds()[outcome].name);
  return outcome == outcome_ok() ? "ok" : "refused";
}

}  // namespace

ExchangeInstruments::ExchangeInstruments(Families families, std::string const& appid)
    : duration_(families.durations.Add({{"app", appid}}, waiting_buckets())) {
  for (core::Kind const kind : both_kinds) {
    std::string const kind_name(core::to_string(kind));
    for (auto const& [state, cause] : settlements) {
      exchanges_.at(place_of(kind)).at(place_of(state)).at(place_of(cause)) =
          &families.exchanges.Add({{"app", appid},
                                   {"kind", kind_name},
                                   {"outcome", std::string(core::to_string(state))},
                                   {"cause", std::string(core::to_string(cause))}});
    }
    for (std::size_t source = 0; source < source_names.size(); ++source) {
      numbers_.at(place_of(kind)).at(source) =
          &families.numbers.Add({{"app", appid},
                                 {"kind", kind_name},
                                 {"source", std::string(source_names.at(source))},
                                 {"outcome", "ok"}});
    }
  }
  for (core::ErrcodeRule const& rule : core::errcode_rules())
    errcodes_.push_back(&families.errcodes.Add({{"app", appid}, {"errcode", std::to_string(rule.errcode)}}));
  errcodes_.push_back(&families.errcodes.Add({{"app", appid}, {"errcode", "other"}}));
}

void ExchangeInstruments::settled(core::Kind kind, core::State state, core::Answer const& answer,
                                  core::SteadyTime::duration took) {
  Counter* const counter = exchanges_.at(place_of(kind)).at(place_of(state)).at(place_of(answer.cause));
  if (counter != nullptr) counter->Increment();
  duration_.Observe(seconds_of(took));
  if (answer.errcode.value_or(0) == 0) return;
  core::ErrcodeRule const* const rule = core::rule_for(*answer.errcode);
  auto const place =
      rule == nullptr ? errcodes_.size() - 1 : static_cast<std::size_t>(rule - core::errcode_rules().data());
  errcodes_[place]->Increment();
}

void ExchangeInstruments::answered(core::PhoneResult const& result) {
  count_number(result, result.replayed ? replay : exchange);
}

void ExchangeInstruments::decrypted(core::PhoneResult const& result) {
  count_number(result, result.replayed ? replay : decryption);
}

void ExchangeInstruments::count_number(core::PhoneResult const& result, Source source) {
  if (std::holds_alternative<core::PhoneNumber>(result.answer))
    numbers_.at(place_of(result.kind)).at(source)->Increment();
}

RequestInstruments::RequestInstruments(CounterFamily& requests, HistogramFamily& durations,
                                       std::string listener, std::vector<net::Route> const& routes)
    : requests_(requests), listener_(std::move(listener)) {
  auto const add = [&](std::string_view method, std::string_view path) {
    OfRoute& route = routes_.emplace_back(OfRoute{.method = std::string(method),
                                                  .path = std::string(path),
                                                  .outcomes = std::vector<Counter*>(outcome_refused() + 1)});
    route.duration = &durations.Add(
        {{"listener", listener_}, {"method", route.method}, {"route", route.path}}, waiting_buckets());
  };
  for (net::Route const& route : routes) add(route.method, route.path);
  add("other", "other");
  for (OfRoute& route : routes_) std::ignore = counter(route, outcome_ok());
}

Counter& RequestInstruments::counter(OfRoute& route, std::size_t outcome) {
  Counter*& known = route.outcomes[outcome];
  if (known == nullptr) {
    known = &requests_.Add({{"listener", listener_},
                            {"method", route.method},
                            {"route", route.path},
                            {"outcome", outcome_name(outcome)}});
  }
  return *known;
}

void RequestInstruments::observe(net::AnsweredRequest const& request) {
  OfRoute& route = routes_[std::min(request.route, routes_.size() - 1)];
  counter(route, outcome_of(request)).Increment();
  route.duration->Observe(seconds_of(request.took));
}

Instruments::Instruments(std::string_view version, std::string_view mode,
                         std::vector<std::string> const& appids)
    : requests_(counters(registry_, "onetap_http_requests_total",
                         "Answered requests, by route and by what was answered: ok, or the problem's code.")),
      request_durations_(histograms(registry_, "onetap_http_request_duration_seconds",
                                    "From a request's head to the end of its answer.")) {
  prometheus::BuildGauge()
      .Name("onetap_build_info")
      .Help("Which onetap this is, and which ledger it has: real, or the sandbox's.")
      .Register(registry_)
      .Add({{"version", std::string(version)}, {"mode", std::string(mode)}})
      .Set(1);
  ExchangeInstruments::Families const families{
      .exchanges = counters(registry_, "onetap_exchanges_total",
                            "Codes that WeChat was asked about, or was to be, by what became of them."),
      .errcodes = counters(registry_, "onetap_exchange_errcodes_total",
                           "Exchanges by WeChat's last errcode; other: one that this version does not know."),
      .numbers = counters(registry_, "onetap_numbers_total",
                          "Numbers handed out, stored answers that were given again included."),
      .durations = histograms(registry_, "onetap_exchange_duration_seconds",
                              "From a code's arrival until its outcome was durable.")};
  for (std::string const& appid : appids) exchanges_.try_emplace(appid, families, appid);
  CounterFamily& calls = counters(registry_, "onetap_wechat_calls_total",
                                  "Requests to WeChat; lost: sent, and no answer that can be read came.");
  HistogramFamily& call_durations = histograms(registry_, "onetap_wechat_call_duration_seconds",
                                               "Of a request to WeChat, with the connecting it needed.");
  for (net::WeChatCall const call : net::wechat_calls) {
    OfCall& of = calls_.at(place_of(call));
    std::string const name(net::to_string(call));
    for (std::size_t outcome = 0; outcome < call_outcome_names.size(); ++outcome)
      of.outcomes.at(outcome) =
          &calls.Add({{"call", name}, {"outcome", std::string(call_outcome_names.at(outcome))}});
    of.duration = &call_durations.Add({{"call", name}}, waiting_buckets());
  }
  commit_duration_ = &histograms(registry_, "onetap_ledger_commit_duration_seconds",
                                 "Of a transaction of the ledger, with its sync.")
                          .Add({}, commit_buckets());
  loop_lateness_ = &histograms(registry_, "onetap_loop_lateness_seconds",
                               "How long after its time the loop ran a timer, looked at ten times a second.")
                        .Add({}, lateness_buckets());
}

ExchangeInstruments& Instruments::exchanges_of(std::string_view appid) {
  auto const found = exchanges_.find(appid);
  if (found == exchanges_.end()) throw std::out_of_range("no instruments for this mini program");
  return found->second;
}

RequestInstruments& Instruments::requests_of(std::string listener, std::vector<net::Route> const& routes) {
  return listeners_.emplace_back(requests_, request_durations_, std::move(listener), routes);
}

void Instruments::called(net::WeChatCall call, core::WeChatReply const& reply,
                         core::SteadyTime::duration took) {
  auto const outcome = [&] {
    switch (reply.delivery) {
      case core::Delivery::answered: return CallOutcome::answered;
      case core::Delivery::not_sent: return CallOutcome::not_sent;
      case core::Delivery::maybe_sent: break;
    }
    return CallOutcome::lost;
  }();
  OfCall& of = calls_.at(place_of(call));
  of.outcomes.at(place_of(outcome))->Increment();
  of.duration->Observe(seconds_of(took));
}

void Instruments::committed(std::chrono::steady_clock::duration took) {
  commit_duration_->Observe(seconds_of(took));
}

void Instruments::was_late(core::SteadyTime::duration lag) { loop_lateness_->Observe(seconds_of(lag)); }

}  // namespace onetap::app
