#pragma once

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "tests/simulation/random.hpp"

namespace onetap::simulation {

namespace asio = boost::asio;

/// Time that moves from one event to the next; which of those due at the same moment comes first is left to
/// chance. What a process waits for ends with the process; what the world does (WeChat, the disk, the people)
/// goes on.
class VirtualClock final : public core::Clock {
 public:
  explicit VirtualClock(Random& random) : random_(random) {}

  /// As the server's machine believes.
  [[nodiscard]] core::WallTime wall() const override { return true_wall() + off_; }
  [[nodiscard]] core::SteadyTime steady() const override { return now_; }
  [[nodiscard]] core::WallTime true_wall() const {
    return core::wall_time_of_unix_ms(1'790'000'000'000 + since_start().count());
  }
  [[nodiscard]] core::milliseconds since_start() const {
    return std::chrono::duration_cast<core::milliseconds>(now_ - start);
  }

  void set_off(core::milliseconds off) { off_ = off; }
  [[nodiscard]] core::milliseconds off() const { return off_; }

  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override {
    auto const waiting = std::make_shared<Waiting>();
    auto const registration = signal.add([this, known = std::weak_ptr(waiting)] {
      auto const woken = known.lock();
      if (!woken) return;
      woken->notified = true;
      add({.time = now_, .waiting = woken});
    });
    co_await suspend(waiting, deadline);
    if (!waiting->notified) signal.remove(registration);
    co_return waiting->notified;
  }

  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override {
    auto const waiting = std::make_shared<Waiting>();
    co_await suspend(waiting, deadline);
  }

  /// Of the process.
  [[nodiscard]] core::Task<> pause(core::milliseconds time) { return sleep_until(now_ + time); }
  /// Of the world: a crash does not stop it.
  void later(core::milliseconds time, std::function<void()> happens) {
    add({.time = now_ + time, .happens = std::move(happens)});
  }

  /// Moves to the next event and lets it happen; false when there is none.
  bool step() {
    if (events_.empty()) return false;
    std::ranges::pop_heap(events_, comes_later);
    Event const next = std::move(events_.back());
    events_.pop_back();
    now_ = std::max(now_, next.time);
    if (next.happens) next.happens();
    if (next.waiting) resume(*next.waiting);
    return true;
  }

  /// The process is dead: nobody waits any more. Its coroutines unwind on their loop.
  void end_process() {
    std::vector<Event> ended;
    auto const is_process = [](Event const& event) { return event.waiting != nullptr; };
    std::ranges::copy_if(events_, std::back_inserter(ended), is_process);
    std::erase_if(events_, is_process);
    std::ranges::make_heap(events_, comes_later);
    for (Event const& event : ended) event.waiting->resume = nullptr;
  }

 private:
  static constexpr auto start = core::SteadyTime(std::chrono::hours(1000));

  // Owns the coroutine that waits, which owns this in turn: whoever ends the wait takes `resume` out.
  struct Waiting {
    std::function<void()> resume{};
    bool notified = false;
  };
  struct Event {
    core::SteadyTime time;
    std::uint64_t tie = 0;
    std::shared_ptr<Waiting> waiting{};
    std::function<void()> happens{};
  };

  static bool comes_later(Event const& one, Event const& other) {
    return std::pair(one.time, one.tie) > std::pair(other.time, other.tie);
  }

  void add(Event event) {
    event.tie = random_.number();
    events_.push_back(std::move(event));
    std::ranges::push_heap(events_, comes_later);
  }

  static void resume(Waiting& waiting) {
    auto const goes_on = std::exchange(waiting.resume, nullptr);
    if (goes_on) goes_on();
  }

  core::Task<> suspend(std::shared_ptr<Waiting> waiting, core::SteadyTime deadline) {
    auto initiate = [this, &waiting, deadline](auto handler) {
      auto const shared = std::make_shared<decltype(handler)>(std::move(handler));
      waiting->resume = [shared] { std::move (*shared)(); };
      add({.time = deadline, .waiting = waiting});
    };
    co_await asio::async_initiate<asio::use_awaitable_t<> const, void()>(initiate, asio::use_awaitable);
  }

  Random& random_;
  core::SteadyTime now_ = start;
  core::milliseconds off_{};
  std::vector<Event> events_;  // a heap
};

}  // namespace onetap::simulation
