#include "net/asio_clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace onetap::net {

core::WallTime AsioClock::wall() const {
  return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
}

core::SteadyTime AsioClock::steady() const { return std::chrono::steady_clock::now(); }

core::Task<bool> AsioClock::wait(core::Signal& signal, core::SteadyTime deadline) {
  asio::steady_timer timer(executor_, deadline);
  bool notified = false;
  auto const registration = signal.add([&timer, &notified] {
    notified = true;
    timer.cancel();
  });
  [[maybe_unused]] auto [cancelled] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!notified) signal.remove(registration);
  co_return notified;
}

core::Task<> AsioClock::sleep_until(core::SteadyTime deadline) {
  asio::steady_timer timer(executor_, deadline);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace onetap::net
