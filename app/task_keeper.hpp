#pragma once

#include <functional>
#include <string>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/task.hpp"

namespace onetap::app {

/// Keeps background tasks running: one that fails is told in the log and started again, after a pause that
/// grows with each failure (limits::task_backoff_min to task_backoff_max); one that ran for long begins anew.
class TaskKeeper {
 public:
  using OnFailure = std::function<void(std::string const& task)>;

  TaskKeeper(core::Clock& clock, core::Log& log, OnFailure on_failure)
      : clock_(clock), log_(log), on_failure_(std::move(on_failure)) {}

  /// Ends when the task returns, or after stop().
  [[nodiscard]] core::Task<> keep(std::string name, std::function<core::Task<>()> make);

  /// None is started again.
  void stop();

 private:
  core::Clock& clock_;
  core::Log& log_;
  OnFailure on_failure_;
  core::Signal stop_;
  bool stopping_ = false;
};

}  // namespace onetap::app
