#include "app/log_sink.hpp"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <thread>

namespace onetap::app {
namespace {

constexpr std::size_t queue_lines = 8192;

spdlog::level::level_enum level_of(core::LogLevel level) {
  switch (level) {
    case core::LogLevel::error: return spdlog::level::err;
    case core::LogLevel::warn: return spdlog::level::warn;
    case core::LogLevel::info: return spdlog::level::info;
    case core::LogLevel::debug: break;
  }
  return spdlog::level::debug;
}

}  // namespace

LogSink::LogSink()
    : pool_(std::make_shared<spdlog::details::thread_pool>(queue_lines, 1)),
      logger_(std::make_shared<spdlog::async_logger>("onetap",
                                                     std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest)) {
  logger_->set_pattern("%v");
  logger_->set_level(spdlog::level::trace);  // core::Log has chosen already
}

LogSink::~LogSink() {
  if (std::size_t const dropped = pool_->overrun_counter(); dropped > 0) {
    logger_->warn("{{\"level\":\"warn\",\"msg\":\"log_lines_dropped\",\"count\":{}}}", dropped);
  }
}

void LogSink::write(core::LogLevel level, std::string_view line) const {
  logger_->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

void LogSink::flush() {
  constexpr int rounds_max = 100;
  constexpr auto pause = std::chrono::milliseconds(10);
  for (int round = 0; round < rounds_max && pool_->queue_size() > 0; ++round)
    std::this_thread::sleep_for(pause);
  std::this_thread::sleep_for(pause);  // the line that has left the queue last
}

}  // namespace onetap::app
