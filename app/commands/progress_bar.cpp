#include "app/commands/progress_bar.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace onetap::app {

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), on_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (shown_percent_ >= 0) std::fputs("\r\033[K", stderr);
}

void ProgressBar::show(std::int64_t done, std::int64_t total) {
  if (!on_terminal_ || total <= 0) return;
  constexpr int width = 40;
  int const percent = static_cast<int>(std::clamp<std::int64_t>(done * 100 / total, 0, 100));
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  int const filled = percent * width / 100;
  std::string const bar = std::string(static_cast<std::size_t>(filled), '#') +
                          std::string(static_cast<std::size_t>(width - filled), '.');
  std::fprintf(stderr, "\r%s [%s] %3d %%", what_.c_str(), bar.c_str(), percent);
  std::fflush(stderr);
}

}  // namespace onetap::app
