#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/exchange/circuit_breaker.hpp"
#include "core/exchange/clock_skew.hpp"
#include "core/exchange/machine.hpp"
#include "core/exchange/wechat.hpp"
#include "core/log.hpp"
#include "core/token/keeper.hpp"

namespace onetap::core {

/// How the exchanges of one mini program stand; `opened` since the start.
struct CallStatistics {
  CircuitBreaker::Position position = CircuitBreaker::Position::closed;
  std::array<std::uint64_t, outage_causes.size()> opened{};  // the circuit, in the order of outage_causes
  std::size_t under_way = 0;                                 // turns out
  std::size_t waiting = 0;                                   // for a turn
};

/// Whether, and when, one mini program's next code may be sent: so many at a time, in the order in which they
/// came, and none while the circuit is open or our clock is off. Finds out with free calls when to go on.
class CallControl {
 public:
  struct Ports {
    Clock& clock;
    WeChat& wechat;
    TokenKeeper& tokens;
    ClockSkew const& skew;
    Log& log;
  };

  /// One exchange's turn, held from before its T1 until WeChat has answered.
  class Turn {
   public:
    Turn(Turn const&) = delete;
    Turn& operator=(Turn const&) = delete;
    ~Turn();

    /// Each answer of WeChat's to this exchange.
    void judged(Answer const& answer);

   private:
    friend class CallControl;
    Turn(CallControl& control, bool is_trial) : control_(control), is_trial_(is_trial) {}

    CallControl& control_;
    bool is_trial_;
  };

  CallControl(Ports ports, std::string appid) : ports_(ports), appid_(std::move(appid)) {}
  CallControl(CallControl const&) = delete;
  CallControl& operator=(CallControl const&) = delete;
  ~CallControl() = default;

  /// A turn that is free now; never waits.
  [[nodiscard]] std::unique_ptr<Turn> try_take();
  struct Taken {
    std::unique_ptr<Turn> turn;  // null: none
    Unready missing{};           // then, why
  };
  /// A turn; waits for one, or for the trial under way, until `deadline`.
  [[nodiscard]] Task<Taken> take(SteadyTime deadline);

  /// Why an exchange would be refused now, and for how long at least; none while the circuit is not open.
  [[nodiscard]] std::optional<Unready> refusal();

  [[nodiscard]] CallStatistics statistics() const;

  /// Why codes are not sent as usual; none: they are. Also while a trial is to show that they can be.
  [[nodiscard]] std::optional<OutageCause> outage();

  /// Whether codes are let through, for the operator to see.
  [[nodiscard]] CircuitBreaker const& breaker() const { return breaker_; }

  /// WeChat gave the very token again that it refuses.
  void token_is_dead();

  /// Probes while the circuit is open, until stop().
  [[nodiscard]] Task<> run();
  void stop();

 private:
  struct Waiter {
    Signal ready;
    std::unique_ptr<Turn> turn;
  };
  using Queue = std::list<Waiter*>;

  void look_at_clock();
  [[nodiscard]] bool is_free() const;
  [[nodiscard]] std::unique_ptr<Turn> grant();
  void give_back(bool is_trial);
  void judged(Answer const& answer, bool is_trial);
  void serve_waiters();
  void trip(OutageCause cause);
  void changed(CircuitBreaker::Position before);
  [[nodiscard]] Task<> probe();

  Ports ports_;
  std::string appid_;
  CircuitBreaker breaker_;
  std::array<std::uint64_t, outage_causes.size()> opened_{};
  std::size_t turns_out_ = 0;
  Queue waiters_;
  bool stopping_ = false;
  Signal wake_run_;
};

}  // namespace onetap::core
