#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <list>
#include <string>

#include "core/clock.hpp"
#include "core/task.hpp"

namespace onetap::net {

namespace asio = boost::asio;

/// Owns coroutines that run beside each other: nothing is detached. Must be empty when it is destroyed.
class TaskGroup {
 public:
  /// Told about an exception that left a task: a broken promise, to be logged.
  using OnException = std::function<void(std::string what)>;

  TaskGroup(asio::any_io_executor executor, OnException on_exception);
  TaskGroup(TaskGroup const&) = delete;
  TaskGroup& operator=(TaskGroup const&) = delete;
  ~TaskGroup();

  void spawn(core::Task<> task);

  /// Asks every task to end (terminal cancellation).
  void cancel();

  /// True when all have ended, false at `deadline`.
  [[nodiscard]] core::Task<bool> join(core::Clock& clock, core::SteadyTime deadline);

  [[nodiscard]] std::size_t size() const { return tasks_.size(); }

 private:
  asio::any_io_executor executor_;
  OnException on_exception_;
  std::list<asio::cancellation_signal> tasks_;
  core::Signal ended_;
};

}  // namespace onetap::net
