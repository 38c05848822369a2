#include "app/metrics/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace onetap::app {
namespace {

// Not read_text_file(): files of /proc have no size.
std::string text_of(char const* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  auto const read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    auto const begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    auto const size = std::min(text.find_first_of(" \n"), text.size());
    words.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
}

std::optional<double> boot_time(std::string_view system_stat) {
  constexpr std::string_view mark = "\nbtime ";
  auto const found = system_stat.find(mark);
  return found == std::string_view::npos ? std::nullopt : number_in(system_stat.substr(found + mark.size()));
}

double count_descriptors() {
  std::error_code ignored;
  double count = 0;
  for ([[maybe_unused]] auto const& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored))
    ++count;
  return count;
}

}  // namespace

std::optional<ProcessFigures> read_process_stat(std::string_view self_stat, std::string_view system_stat,
                                                SystemUnits units) {
  // The name, in parentheses, may hold anything.
  auto const name_end = self_stat.rfind(')');
  auto const booted = boot_time(system_stat);
  if (name_end == std::string_view::npos || !booted) return std::nullopt;
  std::vector<std::string_view> const words = words_of(self_stat.substr(name_end + 1));
  // proc(5) counts from 1, and the first word behind the name is the third field.
  constexpr std::size_t first_field = 3;
  std::array<double, 5> values{};
  constexpr std::array<std::size_t, 5> fields{14, 15, 22, 23, 24};  // utime stime starttime vsize rss
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::size_t const place = fields.at(i) - first_field;
    auto const value = place < words.size() ? number_in(words[place]) : std::nullopt;
    if (!value) return std::nullopt;
    values.at(i) = *value;
  }
  auto const [user_ticks, system_ticks, start_ticks, virtual_bytes, resident_pages] = values;
  return ProcessFigures{.cpu_seconds = (user_ticks + system_ticks) / units.ticks_per_second,
                        .resident_bytes = resident_pages * units.page_bytes,
                        .virtual_bytes = virtual_bytes,
                        .start_time = *booted + start_ticks / units.ticks_per_second};
}

std::optional<ProcessFigures> read_process_figures() {
  SystemUnits const units{.ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK)),
                          .page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE))};
  auto figures = read_process_stat(text_of("/proc/self/stat"), text_of("/proc/stat"), units);
  if (!figures) return std::nullopt;
  figures->open_descriptors = count_descriptors();
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures->descriptors_max = static_cast<double>(limit.rlim_cur);
  return figures;
}

void sample(ProcessFigures const& figures, Samples& samples) {
  samples.counter("process_cpu_seconds_total", "Processor time of this process, user's and system's.");
  samples.add(figures.cpu_seconds);
  samples.gauge("process_resident_memory_bytes", "Memory that is resident.");
  samples.add(figures.resident_bytes);
  samples.gauge("process_virtual_memory_bytes", "Memory that is mapped.");
  samples.add(figures.virtual_bytes);
  samples.gauge("process_open_fds", "Open file descriptors.");
  samples.add(figures.open_descriptors);
  samples.gauge("process_max_fds", "How many file descriptors may be open.");
  samples.add(figures.descriptors_max);
  samples.gauge("process_start_time_seconds", "When this process started, in unix time.");
  samples.add(figures.start_time);
}

}  // namespace onetap::app
