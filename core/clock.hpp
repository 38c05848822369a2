#pragma once

#include <chrono>
#include <functional>
#include <list>

#include "core/task.hpp"

namespace onetap::core {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Wall time is recorded and compared with what other machines say; it may jump.
using WallTime = std::chrono::sys_time<milliseconds>;

/// Steady time is measured: deadlines and windows within one run.
using SteadyTime = std::chrono::steady_clock::time_point;

[[nodiscard]] constexpr std::int64_t unix_ms(WallTime time) { return time.time_since_epoch().count(); }
[[nodiscard]] constexpr std::int64_t unix_seconds(WallTime time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count();
}
[[nodiscard]] constexpr WallTime wall_time_of_unix_ms(std::int64_t unix_time_ms) {
  return WallTime(milliseconds(unix_time_ms));
}

/// Something that coroutines of the loop wait for, through Clock::wait. Remembers nothing: notify_all
/// wakes those who wait now, so a waiter looks at its condition before and after.
class Signal {
 public:
  using Waker = std::function<void()>;
  using Registration = std::list<Waker>::iterator;

  Signal() = default;
  Signal(Signal const&) = delete;
  Signal& operator=(Signal const&) = delete;
  ~Signal() = default;

  void notify_all() {
    std::list<Waker> const woken = std::exchange(wakers_, {});
    for (Waker const& wake : woken) wake();
  }

  /// For implementations of Clock. A registration is good until notify_all or remove.
  [[nodiscard]] Registration add(Waker waker) { return wakers_.insert(wakers_.end(), std::move(waker)); }
  void remove(Registration registration) { wakers_.erase(registration); }

 private:
  std::list<Waker> wakers_;
};

/// Port: the time, and waiting for it. One implementation runs on Asio's timers, the tests' by hand.
class Clock {
 public:
  Clock() = default;
  Clock(Clock const&) = delete;
  Clock& operator=(Clock const&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;

  /// Returns true when `signal` was notified, false at `deadline` or when the waiting coroutine is
  /// cancelled. `signal` outlives the wait.
  [[nodiscard]] virtual Task<bool> wait(Signal& signal, SteadyTime deadline) = 0;

  /// Returns at `deadline`, or at once when the waiting coroutine is cancelled.
  [[nodiscard]] virtual Task<> sleep_until(SteadyTime deadline) = 0;
};

}  // namespace onetap::core
