#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/clock.hpp"
#include "storage/ledger_file.hpp"
#include "storage/ledger_thread.hpp"
#include "storage/reports.hpp"
#include "tests/conformance/ledger_under_test.hpp"
#include "tests/support/temp_folder.hpp"

namespace onetap::tests {

/// Both times stand still until the test moves them. The wall's is far ahead of the real one, which the
/// views look at.
class StandingClock final : public core::Clock {
 public:
  [[nodiscard]] core::WallTime wall() const override { return wall_; }
  [[nodiscard]] core::SteadyTime steady() const override { return steady_; }
  [[nodiscard]] core::Task<bool> wait(core::Signal& /*signal*/, core::SteadyTime /*deadline*/) override {
    throw std::logic_error("storage waits for no signal");
  }
  [[nodiscard]] core::Task<> sleep_until(core::SteadyTime /*deadline*/) override {
    throw std::logic_error("storage does not sleep");
  }

  void pass(core::milliseconds time) {
    wall_ += time;
    steady_ += time;
  }
  void jump_wall(core::milliseconds time) { wall_ += time; }

  [[nodiscard]] storage::Now now() const { return {.wall = wall_, .steady = steady_}; }

 private:
  core::WallTime wall_ = std::chrono::sys_days(std::chrono::year(2124) / 11 / 22) + std::chrono::hours(8);
  core::SteadyTime steady_ = core::SteadyTime(std::chrono::hours(1000));
};

inline storage::LedgerOptions options_for(std::filesystem::path path, StandingClock const& clock) {
  storage::LedgerOptions options;
  options.path = std::move(path);
  options.mode = storage::LedgerMode::real;
  options.key_fingerprint = digest_of(4711);
  options.sealed_pepper = {1};
  options.settings.replay_window = std::chrono::minutes(10);
  options.settings.events_keep = std::chrono::days(30);
  options.settings.session_life = {.idle = std::chrono::hours(2), .longest = std::chrono::hours(24)};
  options.now = clock.now();
  options.ballast_bytes = 0;
  return options;
}

/// Opens what must open.
inline storage::LedgerFile opened(storage::LedgerOptions const& options) {
  auto file = storage::open_ledger(options);
  if (!file) FAIL(file.error().sentence);
  return std::move(*file);
}

/// The SQLite ledger on its thread, in a folder of its own.
class SqliteUnderTest final : public LedgerUnderTest {
 public:
  SqliteUnderTest() { open(folder_ / "onetap.db"); }

  [[nodiscard]] core::Ledger& port() override { return *thread_; }
  [[nodiscard]] asio::io_context& loop() override { return loop_; }
  [[nodiscard]] core::WallTime now() const override { return clock_.wall(); }
  void pass(core::milliseconds time) override { clock_.pass(time); }

  void maintain() override {
    // A pass that has more to do asks for the next one itself; the queue is in order, so a command that
    // was answered twice over has seen at least one.
    thread_->request_maintenance();
    Speaker speaker(*this);
    static_cast<void>(speaker.find(60'000, std::nullopt));
    static_cast<void>(speaker.find(60'000, std::nullopt));
  }

  void crash_and_restart() override {
    // What a kill leaves are the files as they are while the server still holds them open.
    std::filesystem::path const copy = folder_ / ("crashed-" + std::to_string(++crashes_) + ".db");
    for (std::string const suffix : {"", "-wal"}) {
      std::filesystem::path const file = path_.string() + suffix;
      if (std::filesystem::exists(file)) std::filesystem::copy_file(file, copy.string() + suffix);
    }
    thread_.reset();
    open(copy);
  }

  [[nodiscard]] std::vector<std::string> violations() override {
    auto reports = storage::Reports::open(path_);
    if (!reports) return {reports.error()};
    storage::Verification const verification = reports->verify(true);
    std::vector<std::string> sentences = verification.damaged_pages;
    for (std::vector<storage::Value> const& row : verification.violations.rows) {
      sentences.push_back(storage::to_text(row.at(0)) + " " + storage::to_text(row.at(1)) + ": " +
                          storage::to_text(row.at(2)));
    }
    return sentences;
  }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] storage::LedgerThread& thread() { return *thread_; }
  [[nodiscard]] StandingClock& clock() { return clock_; }
  [[nodiscard]] TempFolder const& folder() const { return folder_; }
  /// What the last start found.
  [[nodiscard]] std::vector<core::SessionRow> const& sessions() const { return sessions_; }

  void close() { thread_->close(); }
  void reopen() {
    thread_.reset();
    open(path_);
  }

 private:
  void open(std::filesystem::path path) {
    path_ = std::move(path);
    storage::LedgerFile file = opened(options_for(path_, clock_));
    sessions_ = std::move(file.recovery.sessions);
    thread_ = std::make_unique<storage::LedgerThread>(std::move(file), clock_,
                                                      [](std::string const& reason) { FAIL(reason); });
  }

  TempFolder folder_;
  StandingClock clock_;
  asio::io_context loop_{1};
  std::filesystem::path path_;
  std::unique_ptr<storage::LedgerThread> thread_;
  std::vector<core::SessionRow> sessions_;
  int crashes_ = 0;
};

}  // namespace onetap::tests
