#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/billing/reconciliation.hpp"
#include "core/billing/usage_watch.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// Compares WeChat's count with the ledger's in a running server: by a reader on a thread of its own, so that
/// neither an exchange nor the loop waits for it.
class ReconciliationService final : public core::Reconciliations {
 public:
  using Watches = std::function<std::vector<core::UsageWatch*>()>;

  /// `watches` are of all mini programs that are served; they, `clock` and `log` outlive this.
  ReconciliationService(Watches watches, core::Clock& clock, core::Log& log, std::filesystem::path database)
      : watches_(std::move(watches)), clock_(clock), log_(log), database_(std::move(database)) {}
  ~ReconciliationService() override { worker_.join(); }

  [[nodiscard]] core::Task<bool> ask_wechat() override;
  [[nodiscard]] core::Task<core::Result<std::string, core::admin::Refusal>> compare(std::string day) override;

 private:
  Watches watches_;
  core::Clock& clock_;
  core::Log& log_;
  std::filesystem::path database_;
  boost::asio::thread_pool worker_{1};
};

}  // namespace onetap::app
