#include "net/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <cassert>
#include <exception>

namespace onetap::net {

TaskGroup::TaskGroup(asio::any_io_executor executor, OnException on_exception)
    : executor_(std::move(executor)), on_exception_(std::move(on_exception)) {}

TaskGroup::~TaskGroup() { assert(tasks_.empty() && "a task group is joined before it goes"); }

void TaskGroup::spawn(core::Task<> task) {
  auto const position = tasks_.emplace(tasks_.end());
  auto ended = [this, position](std::exception_ptr const& failure) {
    tasks_.erase(position);
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (boost::system::system_error const& error) {
        if (error.code() != asio::error::operation_aborted) on_exception_(error.what());  // cancel() ends so
      } catch (std::exception const& exception) {
        on_exception_(exception.what());
      } catch (...) {
        on_exception_("unknown exception");
      }
    }
    ended_.notify_all();
  };
  asio::co_spawn(executor_, std::move(task),
                 asio::bind_cancellation_slot(position->slot(), std::move(ended)));
}

void TaskGroup::cancel() {
  for (asio::cancellation_signal& task : tasks_) task.emit(asio::cancellation_type::terminal);
}

core::Task<bool> TaskGroup::join(core::Clock& clock, core::SteadyTime deadline) {
  while (!tasks_.empty()) {
    bool const one_ended = co_await clock.wait(ended_, deadline);
    if (!one_ended) co_return tasks_.empty();
  }
  co_return true;
}

}  // namespace onetap::net
