#include "app/log_sink.hpp"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace onetap::app {
namespace {

constexpr std::size_t queue_lines = 8192;
constexpr std::size_t queue_errors = 1024;
constexpr std::size_t bytes_at_once = 64UL * 1024;
constexpr auto gathering_time = std::chrono::milliseconds(2);

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

/// The end of both queues, on whose threads it writes, what waits there in one go; tells of what did not fit
/// them.
class LogSink::Writer final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  /// Of both queues.
  struct Queues {
    std::function<std::size_t()> dropped;  // lines since the start
    std::function<std::size_t()> waiting;  // lines now
  };

  explicit Writer(std::FILE* file) : file_(file) {}

  /// Where the queues are asked.
  void look_at(Queues queues) {
    std::scoped_lock const lock(mutex_);
    queues_ = std::move(queues);
  }

  /// The queues are gone, and have dropped so many lines.
  void end(std::size_t dropped) {
    std::scoped_lock const lock(mutex_);
    queues_ = {};
    tell(dropped);
    write_out();
  }

 protected:
  void sink_it_(spdlog::details::log_msg const& message) override {
    write({message.payload.data(), message.payload.size()});
    tell_in_time();
    bool const is_followed = queues_.waiting && queues_.waiting() > 0;
    if (is_followed && bytes_.size() < bytes_at_once) return;
    write_out();
    // Waking for each line costs the loop more than the line; what comes meanwhile waits in the queue.
    if (!queues_.waiting || is_followed) return;
    mutex_.unlock();  // for the other queue
    std::this_thread::sleep_for(gathering_time);
    mutex_.lock();
  }
  void flush_() override { write_out(); }

 private:
  void tell_in_time() {
    auto const now = std::chrono::steady_clock::now();
    constexpr auto told_interval = std::chrono::seconds(1);
    if (!queues_.dropped || (told_at_ && now - *told_at_ < told_interval)) return;
    if (tell(queues_.dropped())) told_at_ = now;
  }

  bool tell(std::size_t dropped) {
    if (dropped == told_) return false;
    own_.warn("log_lines_dropped", {{"count", dropped - std::exchange(told_, dropped)}});
    return true;
  }

  void write(std::string_view line) { bytes_.append(line).append(1, '\n'); }

  void write_out() {
    std::fwrite(bytes_.data(), 1, bytes_.size(), file_);
    std::fflush(file_);
    bytes_.clear();
  }

  std::FILE* file_;
  std::string bytes_;  // lines that are to be written
  Queues queues_;
  std::size_t told_ = 0;
  std::optional<std::chrono::steady_clock::time_point> told_at_;
  core::Log own_{[this](core::LogLevel, std::string_view line) { write(line); }, core::LogLevel::warn,
                 [] { return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now()); }};
};

LogSink::Queue LogSink::make_queue(std::size_t lines) const {
  auto pool = std::make_shared<spdlog::details::thread_pool>(lines, 1);
  auto logger = std::make_shared<spdlog::async_logger>("onetap", writer_, pool,
                                                       spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::trace);  // core::Log has chosen already
  return {.pool = std::move(pool), .logger = std::move(logger)};
}

LogSink::LogSink(std::FILE* file)
    : writer_(std::make_shared<Writer>(file)),
      lines_(make_queue(queue_lines)),
      errors_(make_queue(queue_errors)) {
  writer_->look_at({.dropped = [this] { return dropped(); }, .waiting = [this] { return waiting(); }});
}

LogSink::~LogSink() {
  std::size_t const dropped_in_all = dropped();
  writer_->look_at({});
  lines_.pool.reset();  // its thread ends when all is written
  errors_.pool.reset();
  writer_->end(dropped_in_all);
}

std::size_t LogSink::dropped() const {
  return lines_.pool->overrun_counter() + errors_.pool->overrun_counter();
}

std::size_t LogSink::waiting() const { return lines_.pool->queue_size() + errors_.pool->queue_size(); }

void LogSink::write(core::LogLevel level, std::string_view line) const {
  Queue const& queue = level == core::LogLevel::error ? errors_ : lines_;
  queue.logger->log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

void LogSink::flush() {
  constexpr int rounds_max = 100;
  constexpr auto pause = std::chrono::milliseconds(10);
  for (int round = 0; round < rounds_max && waiting() > 0; ++round) std::this_thread::sleep_for(pause);
  std::this_thread::sleep_for(pause);  // the line that has left the queue last
}

}  // namespace onetap::app
