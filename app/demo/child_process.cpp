#include "app/demo/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

namespace onetap::app {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, after fork: only what is safe there (signal-safety(7)). Not posix_spawn, which cannot ask
// the kernel for the parent-death signal.
[[noreturn]] void become(char const* log, char* const* arguments, char* const* environment, pid_t parent) {
  constexpr int cannot_execute = 127;
  constexpr unsigned first_inherited = 3;
  ::setpgid(0, 0);  // Ctrl-C is ours to pass on
  bool const is_bound = ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent;
  int const output = ::open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int const input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  bool const is_ready = is_bound && output >= 0 && input >= 0 && ::dup2(input, STDIN_FILENO) >= 0 &&
                        ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(output, STDERR_FILENO) >= 0;
  ::close_range(first_inherited, ~0U, 0);
  if (is_ready) ::execve("/proc/self/exe", arguments, environment);
  ::_exit(cannot_execute);
}

}  // namespace

core::Result<ChildProcess, std::string> ChildProcess::start(std::vector<std::string> const& arguments,
                                                            std::vector<std::string> const& environment,
                                                            std::filesystem::path const& log) {
  std::vector<std::string> all{"onetap"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment;
  std::vector<char*> const argument_pointers = pointers_to(all);
  std::vector<char*> const variable_pointers = pointers_to(variables);
  pid_t const parent = ::getpid();
  pid_t const process = ::fork();
  if (process == 0) become(log.c_str(), argument_pointers.data(), variable_pointers.data(), parent);
  if (process < 0) {
    return {boost::system::in_place_error,
            "cannot start a process: " + std::generic_category().message(errno)};
  }
  return {boost::system::in_place_value, ChildProcess(process)};
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : process_(std::exchange(other.process_, -1)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    stop();
    process_ = std::exchange(other.process_, -1);
  }
  return *this;
}

ChildProcess::~ChildProcess() { stop(); }

bool ChildProcess::has_ended() {
  if (process_ >= 0 && ::waitpid(process_, nullptr, WNOHANG) == process_) process_ = -1;
  return process_ < 0;
}

void ChildProcess::kill_now() {
  if (has_ended()) return;
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

void ChildProcess::stop() {
  if (has_ended()) return;
  ::kill(process_, SIGTERM);
  constexpr auto patience = std::chrono::seconds(3);
  constexpr auto look_again = std::chrono::milliseconds(5);
  auto const deadline = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (has_ended()) return;
    std::this_thread::sleep_for(look_again);
  }
  kill_now();
}

}  // namespace onetap::app
