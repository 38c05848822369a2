#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/exchange/observer.hpp"
#include "core/exchange/problem.hpp"
#include "net/server/options.hpp"
#include "net/server/router.hpp"
#include "net/wechat/wechat_client.hpp"

namespace onetap::app {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using HistogramFamily = prometheus::Family<prometheus::Histogram>;

/// One mini program's codes.
class ExchangeInstruments final : public core::ExchangeObserver {
 public:
  struct Families {
    CounterFamily& exchanges;
    CounterFamily& errcodes;
    CounterFamily& numbers;
    HistogramFamily& durations;
  };

  ExchangeInstruments(Families families, std::string const& appid);

  void settled(core::Kind kind, core::State state, core::Answer const& answer,
               core::SteadyTime::duration took) override;
  void answered(core::PhoneResult const& result) override;
  /// A page's encryptedData, by /phone/decrypt.
  void decrypted(core::PhoneResult const& result);

 private:
  static constexpr std::size_t kinds = 2;
  static constexpr std::size_t states = static_cast<std::size_t>(core::State::free) + 1;
  static constexpr std::size_t causes = static_cast<std::size_t>(core::Cause::abandoned) + 1;
  enum Source { exchange, replay, decryption };
  static constexpr std::array<std::string_view, 3> source_names{"exchange", "replay", "decryption"};

  void count_number(core::PhoneResult const& result, Source source);

  // Null: no settlement has this state by this cause.
  std::array<std::array<std::array<prometheus::Counter*, causes>, states>, kinds> exchanges_{};
  std::vector<prometheus::Counter*> errcodes_;  // in the order of errcode_rules(), then what is not there
  std::array<std::array<prometheus::Counter*, source_names.size()>, kinds> numbers_{};
  prometheus::Histogram& duration_;
};

/// One listener's requests.
class RequestInstruments {
 public:
  RequestInstruments(CounterFamily& requests, HistogramFamily& durations, std::string listener,
                     std::vector<net::Route> const& routes);

  void observe(net::AnsweredRequest const& request);

 private:
  struct OfRoute {
    std::string method;  // "other" where the request fits no route
    std::string path;
    std::vector<prometheus::Counter*> outcomes;  // null: not seen yet
    prometheus::Histogram* duration = nullptr;
  };

  [[nodiscard]] prometheus::Counter& counter(OfRoute& route, std::size_t outcome);

  CounterFamily& requests_;
  std::string listener_;
  std::vector<OfRoute> routes_;  // in the router's order, then those that fit none
};

/// What is counted as it happens. Counters and histograms are looked up once, when they are made: what comes
/// on a code's way reaches them by its place in an array. Labels have no other values than the configuration,
/// the router and core's enumerations.
class Instruments {
 public:
  /// `mode` is "real" or "sandbox".
  Instruments(std::string_view version, std::string_view mode, std::vector<std::string> const& appids);

  /// Of one that was named to the constructor; std::out_of_range for another.
  [[nodiscard]] ExchangeInstruments& exchanges_of(std::string_view appid);
  /// To be asked for once a listener.
  [[nodiscard]] RequestInstruments& requests_of(std::string listener, std::vector<net::Route> const& routes);

  void called(net::WeChatCall call, core::WeChatReply const& reply, core::SteadyTime::duration took);
  /// From any thread.
  void committed(std::chrono::steady_clock::duration took);
  /// How long after its time the loop ran a timer.
  void was_late(core::SteadyTime::duration lag);

  [[nodiscard]] std::vector<prometheus::MetricFamily> collect() const { return registry_.Collect(); }

 private:
  enum class CallOutcome { answered, lost, not_sent };
  static constexpr std::array<std::string_view, 3> call_outcome_names{"answered", "lost", "not_sent"};
  struct OfCall {
    std::array<prometheus::Counter*, call_outcome_names.size()> outcomes{};
    prometheus::Histogram* duration = nullptr;
  };

  prometheus::Registry registry_;
  CounterFamily& requests_;
  HistogramFamily& request_durations_;
  std::map<std::string, ExchangeInstruments, std::less<>> exchanges_;  // by appid
  std::list<RequestInstruments> listeners_;
  std::array<OfCall, net::wechat_calls.size()> calls_{};
  prometheus::Histogram* commit_duration_ = nullptr;
  prometheus::Histogram* loop_lateness_ = nullptr;
};

}  // namespace onetap::app
