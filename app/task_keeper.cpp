#include "app/task_keeper.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "core/limits.hpp"

namespace onetap::app {
namespace {

// A handler cannot wait: what failed leaves it as text.
core::Task<std::optional<std::string>> run_once(std::function<core::Task<>()> make) {
  try {
    core::Task<> task = make();
    co_await std::move(task);
    co_return std::nullopt;
  } catch (std::exception const& error) {
    co_return std::string(error.what());
  } catch (...) {
    co_return std::string("unknown exception");
  }
}

}  // namespace

core::Task<> TaskKeeper::keep(std::string name, std::function<core::Task<>()> make) {
  co_await core::shield_from_cancellation();
  core::milliseconds pause = core::limits::task_backoff_min;
  while (true) {
    core::SteadyTime const began = clock_.steady();
    std::optional<std::string> const failure = co_await run_once(make);
    if (!failure) co_return;
    bool const ran_long = clock_.steady() - began > core::limits::task_backoff_max;
    if (ran_long) pause = core::limits::task_backoff_min;
    log_.error("task_failed", {{"task", name}, {"what", *failure}, {"again_in_ms", pause.count()}});
    on_failure_(name);
    if (stopping_) co_return;
    [[maybe_unused]] bool const told = co_await clock_.wait(stop_, clock_.steady() + pause);
    if (stopping_) co_return;
    pause = std::min(2 * pause, core::limits::task_backoff_max);
  }
}

void TaskKeeper::stop() {
  stopping_ = true;
  stop_.notify_all();
}

}  // namespace onetap::app
