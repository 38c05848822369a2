#pragma once

#include <memory>
#include <string_view>

#include "core/log.hpp"

namespace spdlog {
class logger;  // NOLINT(readability-identifier-naming): spdlog's
namespace details {
class thread_pool;  // NOLINT(readability-identifier-naming): spdlog's
}
}  // namespace spdlog

namespace onetap::app {

/// Log lines on stderr, written by a thread of their own: a reader that stalls must not stop the loop.
/// What does not fit the queue is dropped, oldest first, and counted in a line of its own.
class LogSink {
 public:
  LogSink();
  LogSink(LogSink const&) = delete;
  LogSink& operator=(LogSink const&) = delete;
  /// Writes what is queued.
  ~LogSink();

  void write(core::LogLevel level, std::string_view line) const;

  /// Waits (bounded) until what is queued has been written; for ends without destructors.
  void flush();

 private:
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace onetap::app
