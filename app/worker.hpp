#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/task.hpp"

namespace onetap::app {

/// Runs `function` on the worker, since the loop never waits for a disk; the caller goes on on its own
/// thread.
template <class Function>
core::Task<std::invoke_result_t<Function>> run_on(boost::asio::thread_pool& worker, Function function) {
  std::optional<std::invoke_result_t<Function>> result;
  auto work = [&]() -> core::Task<> {
    result.emplace(function());
    co_return;
  };
  co_await boost::asio::co_spawn(worker, std::move(work), boost::asio::use_awaitable);
  co_return std::move(*result);
}

}  // namespace onetap::app
