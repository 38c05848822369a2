#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/billing/spending.hpp"
#include "core/billing/top_users.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "core/task.hpp"

namespace onetap::app {

/// Each minute reads what the ledger has booked since, on a thread of its own: neither an exchange nor the
/// loop waits for it.
class SpendingWatch {
 public:
  /// All outlive it.
  SpendingWatch(core::Clock& clock, core::Log& log, std::filesystem::path database,
                std::function<void()> changed)
      : clock_(clock), log_(log), database_(std::move(database)), changed_(std::move(changed)) {}
  ~SpendingWatch() { worker_.join(); }
  SpendingWatch(SpendingWatch const&) = delete;
  SpendingWatch& operator=(SpendingWatch const&) = delete;

  [[nodiscard]] core::Task<> run();
  void stop();

  [[nodiscard]] core::Spending const& spending() const { return spending_; }
  /// Or has tried to: before, nobody can tell how fast units go.
  [[nodiscard]] bool has_read() const { return has_read_; }

  [[nodiscard]] core::Task<core::Result<std::vector<core::TopUser>, std::string>> top_users(int hours);

 private:
  [[nodiscard]] core::Task<> read();

  core::Clock& clock_;
  core::Log& log_;
  std::filesystem::path database_;
  std::function<void()> changed_;
  core::Spending spending_;
  std::int64_t last_entry_ = 0;
  bool has_read_ = false;
  bool stopping_ = false;
  core::Signal stop_;
  boost::asio::thread_pool worker_{1};
};

}  // namespace onetap::app
