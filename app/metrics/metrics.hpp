#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/metrics/instruments.hpp"
#include "app/metrics/ledger_figures.hpp"
#include "app/metrics/process_figures.hpp"
#include "app/metrics/server_state.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"

namespace onetap::app {

/// What GET /metrics answers: what was counted, how the server stands, and what its files say. Files are
/// read, and the text is made, by threads of its own: the ledger's at most every limits::ledger_figures_age.
/// A scrape waits for files only a while: then it gets what was read last.
class Metrics {
 public:
  struct Services {
    Instruments const& instruments;
    core::Clock& clock;
    core::Log& log;
    std::filesystem::path database;
    std::function<ServerState()> state;
  };

  explicit Metrics(Services services) : services_(std::move(services)) {}
  ~Metrics() { workers_.join(); }
  Metrics(Metrics const&) = delete;
  Metrics& operator=(Metrics const&) = delete;

  /// Reads when a scrape asks, until stop().
  [[nodiscard]] core::Task<> run();
  void stop();

  /// All of it, in Prometheus's text format, version 0.0.4.
  [[nodiscard]] core::Task<std::string> text();

 private:
  [[nodiscard]] core::Task<> read_files();
  [[nodiscard]] std::vector<prometheus::MetricFamily> sample_all() const;

  Services services_;
  std::optional<ProcessFigures> process_;
  std::optional<LedgerFigures> ledger_;
  std::optional<core::SteadyTime> ledger_read_at_;
  bool wanted_ = false;
  bool stopping_ = false;
  core::Signal wake_;
  core::Signal read_;
  boost::asio::thread_pool workers_{2};  // a disk that hangs holds one of them, never both
};

}  // namespace onetap::app
