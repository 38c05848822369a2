#pragma once

#include <optional>
#include <string_view>

#include "app/metrics/samples.hpp"

namespace onetap::app {

/// What Prometheus's client libraries tell of every process, under their names.
struct ProcessFigures {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double start_time = 0;  // unix seconds
  double open_descriptors = 0;
  double descriptors_max = 0;
};

/// The units of /proc.
struct SystemUnits {
  double ticks_per_second = 100;
  double page_bytes = 4096;
};

/// From the texts of /proc/self/stat and /proc/stat (proc(5)); the descriptors are left 0. None when they
/// cannot be read.
[[nodiscard]] std::optional<ProcessFigures> read_process_stat(std::string_view self_stat,
                                                              std::string_view system_stat,
                                                              SystemUnits units);

/// Of this process. Reads files: not for the loop.
[[nodiscard]] std::optional<ProcessFigures> read_process_figures();

void sample(ProcessFigures const& figures, Samples& samples);

}  // namespace onetap::app
