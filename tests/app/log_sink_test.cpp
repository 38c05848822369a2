#include "app/log_sink.hpp"

#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace onetap;

namespace {

/// What reads a log, when the test lets it.
class Reader {
 public:
  Reader() {
    REQUIRE(::pipe(ends_.data()) == 0);
    file_.reset(::fdopen(ends_[1], "w"));
  }
  Reader(Reader const&) = delete;
  Reader& operator=(Reader const&) = delete;
  ~Reader() { ::close(ends_[0]); }

  [[nodiscard]] std::FILE* file() const { return file_.get(); }

  /// Reads until `text` has come; false when nothing comes any more.
  bool read_until(std::string const& text) {
    while (read_.find(text) == std::string::npos) {
      constexpr int patience_ms = 20'000;
      ::pollfd waiting{.fd = ends_[0], .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, patience_ms) <= 0) return false;
      std::array<char, 65536> buffer{};
      ssize_t const size = ::read(ends_[0], buffer.data(), buffer.size());
      if (size <= 0) return false;
      read_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return true;
  }

  [[nodiscard]] std::size_t count(std::string const& text) const {
    std::size_t found = 0;
    for (auto at = read_.find(text); at != std::string::npos; at = read_.find(text, at + 1)) ++found;
    return found;
  }

 private:
  std::array<int, 2> ends_{};
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
  std::string read_;
};

}  // namespace

TEST_CASE("what is written comes out, each on a line of its own, before the sink is gone") {
  Reader reader;
  {
    app::LogSink const sink(reader.file());
    sink.write(core::LogLevel::info, "first");
    sink.write(core::LogLevel::debug, "{} second %v");
  }
  CHECK(reader.read_until("first\n{} second %v\n"));
}

TEST_CASE("while nobody reads lines are dropped but errors are not, and the next reader is told at once") {
  Reader reader;
  app::LogSink const sink(reader.file());
  constexpr int lines = 20'000;  // more than queue and pipe hold
  constexpr int lines_per_error = 100;
  std::string const padding(80, '.');
  for (int i = 0; i < lines; ++i) {
    sink.write(core::LogLevel::info, "line " + std::to_string(i) + padding);
    if (i % lines_per_error == 0) sink.write(core::LogLevel::error, "error " + std::to_string(i) + padding);
  }
  CHECK(reader.read_until("line " + std::to_string(lines - 1) + "."));
  CHECK(reader.read_until("\"log_lines_dropped\",\"count\":"));
  CHECK(reader.read_until("error " + std::to_string(lines - lines_per_error) + "."));
  CHECK(reader.count("error ") == lines / lines_per_error);
  CHECK(reader.count("line ") < lines);
}
