#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "core/clock.hpp"

namespace onetap::tests {

namespace asio = boost::asio;

/// Time that stands still until a test moves it.
class ManualClock final : public core::Clock {
 public:
  explicit ManualClock(asio::io_context& loop) : loop_(loop) {}

  [[nodiscard]] core::WallTime wall() const override { return wall_; }
  [[nodiscard]] core::SteadyTime steady() const override { return steady_; }

  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override {
    bool notified = false;
    asio::steady_timer timer(loop_, asio::steady_timer::time_point::max());
    auto const registration = signal.add([&] {
      notified = true;
      timer.cancel();
    });
    co_await until(timer, deadline);
    if (!notified) signal.remove(registration);
    co_return notified;
  }

  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override {
    asio::steady_timer timer(loop_, asio::steady_timer::time_point::max());
    co_await until(timer, deadline);
  }

  /// Moves both times on, and runs what became due, in order.
  void advance(core::milliseconds by) {
    core::SteadyTime const target = steady_ + by;
    settle();
    while (!waiting_.empty() && waiting_.begin()->first <= target) {
      move_to(waiting_.begin()->first);
      waiting_.begin()->second->cancel();
      settle();
    }
    move_to(target);
    settle();
  }

  /// Runs everything that can run without time passing.
  void settle() {
    loop_.restart();
    loop_.poll();
  }

  void set_wall(core::WallTime wall) { wall_ = wall; }

 private:
  using Waiting = std::multimap<core::SteadyTime, asio::steady_timer*>;

  core::Task<> until(asio::steady_timer& timer, core::SteadyTime deadline) {
    if (deadline <= steady_) co_return;
    struct Place {
      Waiting& waiting;
      Waiting::iterator position;
      ~Place() { waiting.erase(position); }
    } const place{.waiting = waiting_, .position = waiting_.emplace(deadline, &timer)};
    [[maybe_unused]] auto [cancelled] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  void move_to(core::SteadyTime time) {
    wall_ += std::chrono::duration_cast<core::milliseconds>(time - steady_);
    steady_ = time;
  }

  asio::io_context& loop_;
  core::WallTime wall_ = core::wall_time_of_unix_ms(1'790'000'000'000);
  core::SteadyTime steady_ = core::SteadyTime(std::chrono::hours(1000));
  Waiting waiting_;
};

}  // namespace onetap::tests
