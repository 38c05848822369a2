#pragma once

#include <cstddef>
#include <cstdio>
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

/// Log lines, written by threads of their own: a reader that stalls must not stop the loop. What does not
/// fit the queue is dropped, oldest first, and told of in a line as soon as there is room again (once a
/// second at most). Errors have a queue of their own, so that no flood of other lines drops one; they may
/// overtake those.
class LogSink {
 public:
  /// `file` outlives it.
  explicit LogSink(std::FILE* file = stderr);
  LogSink(LogSink const&) = delete;
  LogSink& operator=(LogSink const&) = delete;
  /// Writes what is queued.
  ~LogSink();

  void write(core::LogLevel level, std::string_view line) const;

  /// Waits (bounded) until what is queued has been written; for ends without destructors.
  void flush();

 private:
  class Writer;
  struct Queue {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::logger> logger;
  };

  [[nodiscard]] Queue make_queue(std::size_t lines) const;
  [[nodiscard]] std::size_t dropped() const;
  [[nodiscard]] std::size_t waiting() const;

  std::shared_ptr<Writer> writer_;
  Queue lines_;
  Queue errors_;
};

}  // namespace onetap::app
