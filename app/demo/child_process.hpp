#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace onetap::app {

/// This program once more, as a process of its own. It never outlives us: the kernel kills it when we die.
class ChildProcess {
 public:
  /// `environment` is all it gets ("NAME=value"); what it writes is appended to `log`. A sentence when it
  /// can't be started.
  [[nodiscard]] static core::Result<ChildProcess, std::string> start(
      std::vector<std::string> const& arguments, std::vector<std::string> const& environment,
      std::filesystem::path const& log);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(ChildProcess const&) = delete;
  ChildProcess& operator=(ChildProcess const&) = delete;
  /// Stops it.
  ~ChildProcess();

  [[nodiscard]] bool has_ended();

  /// SIGKILL: it gets no chance to tidy up.
  void kill_now();

  /// SIGTERM, and SIGKILL when that is not heard within a few seconds.
  void stop();

 private:
  explicit ChildProcess(pid_t process) : process_(process) {}

  pid_t process_ = -1;  // -1: ended, and waited for
};

}  // namespace onetap::app
