#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "core/clock.hpp"

namespace onetap::net {

namespace asio = boost::asio;

/// The real time, and Asio's timers to wait for it.
class AsioClock final : public core::Clock {
 public:
  explicit AsioClock(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  [[nodiscard]] core::WallTime wall() const override;
  [[nodiscard]] core::SteadyTime steady() const override;
  [[nodiscard]] core::Task<bool> wait(core::Signal& signal, core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime deadline) override;

 private:
  asio::any_io_executor executor_;
};

}  // namespace onetap::net
