#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>

namespace onetap::core {

namespace asio = boost::asio;

/// A coroutine on the server's one loop. Parameters of coroutines are taken by value, or refer to
/// something that outlives the coroutine (a service).
template <class Value = void>
using Task = asio::awaitable<Value>;

/// Makes the calling coroutine run to its end whatever becomes of its caller: neither the current nor
/// any later await is cancelled.
[[nodiscard]] inline Task<> shield_from_cancellation() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
}

}  // namespace onetap::core
