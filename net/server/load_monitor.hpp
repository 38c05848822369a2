#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>

#include "core/clock.hpp"

namespace onetap::net {

/// What is to be refused with SERVER_BUSY before anything is done for it: paid codes last.
enum class Shedding { none, logins, all };

/// Watches how late the loop runs its timers and how full the storage's queue is. What counts is the best of
/// the last three looks (as CoDel judges a queue): one stall sheds nothing, a lasting one does.
class LoadMonitor {
 public:
  /// How full the storage's queue is: 0 empty, 1 full.
  using QueueFill = std::function<double()>;
  /// Hears how late the loop was at each look.
  using Observer = std::function<void(core::SteadyTime::duration)>;

  /// `clock` outlives it.
  LoadMonitor(core::Clock& clock, QueueFill queue_fill, Observer observer = {})
      : clock_(clock), queue_fill_(std::move(queue_fill)), observer_(std::move(observer)) {}

  /// Looks, every tenth of a second, until stop().
  [[nodiscard]] core::Task<> run();
  void stop();

  [[nodiscard]] Shedding level() const { return level_; }

  /// One look; run() is the one that looks.
  void take(core::SteadyTime::duration lag, double queue_fill);

 private:
  struct Look {
    core::SteadyTime::duration lag{0};
    double queue_fill = 0;
  };

  core::Clock& clock_;
  QueueFill queue_fill_;
  Observer observer_;
  std::array<Look, 3> looks_{};
  std::size_t next_ = 0;
  Shedding level_ = Shedding::none;
  core::Signal stop_;
  bool stopping_ = false;
};

}  // namespace onetap::net
