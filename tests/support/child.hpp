#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace onetap::tests {

/// A process whose output goes to a file; killed when forgotten.
class Child {
 public:
  Child(std::string const& program, std::vector<std::string> arguments, std::vector<std::string> environment,
        std::filesystem::path log)
      : log_(std::move(log)) {
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    constexpr ::mode_t owner_only = 0600;
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                       owner_only);
    ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> envp = pointers(environment);
    int const failure = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw std::runtime_error("cannot start " + program);
  }
  Child(Child const&) = delete;
  Child& operator=(Child const&) = delete;
  ~Child() { kill(); }

  /// SIGTERM, and its end.
  void stop() {
    if (has_ended()) return;
    ::kill(pid_, SIGTERM);
    static_cast<void>(::waitpid(pid_, &status_, 0));
    ended_ = true;
  }

  void kill() {
    if (has_ended()) return;
    ::kill(pid_, SIGKILL);
    static_cast<void>(::waitpid(pid_, &status_, 0));
    ended_ = true;
  }

  [[nodiscard]] bool has_ended() {
    if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    return ended_;
  }
  /// Only once it has ended: by itself, and content.
  [[nodiscard]] bool ended_well() const { return WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }
  /// Only once it has ended.
  [[nodiscard]] bool was_killed() const { return WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL; }

  [[nodiscard]] std::string fate() const {
    if (!ended_) return "it runs, ";
    return WIFSIGNALED(status_) ? "signal " + std::to_string(WTERMSIG(status_)) + ", "
                                : "status " + std::to_string(WEXITSTATUS(status_)) + ", ";
  }

  /// The address of a listener once it is bound; none when the process ends first or never says.
  std::optional<std::string> await_address(std::string_view listener, std::chrono::milliseconds patience) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
      bool const ended = has_ended();
      if (auto address = find_address(listener)) return address;
      if (ended) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string output() const {
    std::ifstream file(log_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  [[nodiscard]] std::optional<std::string> find_address(std::string_view listener) const {
    std::ifstream file(log_);
    for (std::string line; std::getline(file, line) && !file.eof();) {
      boost::system::error_code unreadable;
      boost::json::value const value = boost::json::parse(line, unreadable);
      if (unreadable || !value.is_object()) continue;
      boost::json::object const& object = value.get_object();
      auto const is = [&object](std::string_view name, std::string_view text) {
        boost::json::value const* const member = object.if_contains(name);
        return member != nullptr && member->is_string() && member->get_string() == text;
      };
      bool const any_listener = !object.contains("listener");
      if (is("msg", "listening") && (any_listener || is("listener", listener)) && object.contains("address"))
        return std::string(object.at("address").as_string());
    }
    return std::nullopt;
  }

  std::filesystem::path log_;
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

}  // namespace onetap::tests
