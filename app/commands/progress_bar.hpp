#pragma once

#include <cstdint>
#include <string>

namespace onetap::app {

/// One line on standard error that moves; nothing at all where that is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  ProgressBar(ProgressBar const&) = delete;
  ProgressBar& operator=(ProgressBar const&) = delete;
  ~ProgressBar();

  void show(std::int64_t done, std::int64_t total);

 private:
  std::string what_;
  bool on_terminal_;
  int shown_percent_ = -1;
};

}  // namespace onetap::app
