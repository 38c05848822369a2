#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>

#include "core/clock.hpp"
#include "core/operator_reports.hpp"

namespace onetap::app {

/// Reads the ledger for the operators' page through a connection that can't write, on a thread of its own:
/// neither an exchange nor the loop waits for it.
class LedgerReports final : public core::OperatorReports {
 public:
  /// The clock outlives it.
  LedgerReports(std::filesystem::path database, core::Clock const& clock)
      : database_(std::move(database)), clock_(clock) {}
  ~LedgerReports() override { worker_.join(); }

  [[nodiscard]] core::Task<core::Result<std::string, core::admin::Refusal>> answer(
      core::ReportQuestion question) override;

 private:
  std::filesystem::path database_;
  core::Clock const& clock_;
  boost::asio::thread_pool worker_{1};
};

}  // namespace onetap::app
