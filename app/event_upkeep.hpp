#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "storage/ledger_thread.hpp"

namespace onetap::app {

/// Each minute has the events settled that their pages kept for long. Their codes are looked for in the
/// history by a reader on a thread of its own: neither an exchange nor the loop waits for it.
class EventUpkeep {
 public:
  /// All outlive it.
  EventUpkeep(storage::LedgerThread& ledger, core::Clock& clock, core::Log& log,
              std::filesystem::path database)
      : ledger_(ledger), clock_(clock), log_(log), database_(std::move(database)) {}
  ~EventUpkeep() { worker_.join(); }
  EventUpkeep(EventUpkeep const&) = delete;
  EventUpkeep& operator=(EventUpkeep const&) = delete;

  [[nodiscard]] core::Task<> run();
  void stop();

  /// Settles some; true when there may be more.
  [[nodiscard]] core::Task<bool> settle_some();

 private:
  storage::LedgerThread& ledger_;
  core::Clock& clock_;
  core::Log& log_;
  std::filesystem::path database_;
  core::Signal stop_;
  bool stopping_ = false;
  boost::asio::thread_pool worker_{1};
};

}  // namespace onetap::app
