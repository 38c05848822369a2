#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace onetap::tests {

/// A program that a test has started; killed when the test forgets it. Its stderr is read as it comes.
class Process {
 public:
  Process(std::string const& program, std::vector<std::string> arguments,
          std::vector<std::string> environment) {
    std::array<int, 2> err{};
    if (::pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err[1], STDOUT_FILENO);
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> envp = pointers(environment);
    int const failure = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(err[1]);
    output_ = err[0];
    if (failure != 0) throw std::runtime_error("cannot start " + program);
  }
  Process(Process const&) = delete;
  Process& operator=(Process const&) = delete;
  ~Process() {
    if (!status_) {
      signal(SIGKILL);
      (void)wait();
    }
    ::close(output_);
  }

  void signal(int number) const { ::kill(pid_, number); }

  /// The exit status, or 128 + the signal that ended it; reads what it still writes.
  int wait() {
    while (read_more(std::chrono::seconds(60))) {
    }
    int raw = 0;
    if (!status_ && ::waitpid(pid_, &raw, 0) == pid_)
      status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return status_.value_or(-1);
  }

  /// The rest of the line behind `mark` up to `end`, once it has been written; throws when it never comes.
  std::string await(std::string_view mark, char end) {
    while (true) {
      if (auto const found = text_.find(mark); found != std::string::npos) {
        auto const begin = found + mark.size();
        auto const stop = text_.find(end, begin);
        if (stop != std::string::npos) return text_.substr(begin, stop - begin);
      }
      if (!read_more(std::chrono::seconds(30)))
        throw std::runtime_error("never said '" + std::string(mark) + "' but:\n" + text_);
    }
  }

  [[nodiscard]] std::string const& text() const { return text_; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  bool read_more(std::chrono::milliseconds patience) {
    ::pollfd waiting{.fd = output_, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return false;
    std::array<char, 4096> buffer{};
    ssize_t const size = ::read(output_, buffer.data(), buffer.size());
    if (size <= 0) return false;
    text_.append(buffer.data(), static_cast<std::size_t>(size));
    return true;
  }

  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
  std::optional<int> status_;
};

}  // namespace onetap::tests
