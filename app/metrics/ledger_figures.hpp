#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "app/metrics/samples.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace onetap::app {

/// What only the ledger's files can tell.
struct LedgerFigures {
  struct Units {
    std::string appid;
    std::string kind;
    std::string account;
    std::int64_t units = 0;
  };
  struct Doubt {
    std::string appid;
    std::string kind;
    std::int64_t codes = 0;
    std::optional<core::WallTime> oldest{};
  };
  struct PageEvents {
    std::string appid;
    std::string kind;
    std::string type;
    std::int64_t events = 0;
  };
  /// Of the codes that pages said were issued in the last seven days, those that never came.
  struct Leak {
    std::string appid;
    std::string kind;
    double ratio = 0;
  };

  core::WallTime at{};
  std::vector<Units> units;
  std::vector<Doubt> doubts;
  std::vector<PageEvents> events;
  std::vector<Leak> leaks;
  std::uintmax_t database_bytes = 0;
  std::uintmax_t wal_bytes = 0;
  std::uintmax_t disk_free_bytes = 0;
};

/// Through a reader's connection, in a handful of bounded questions; a sentence when it cannot be read. Not
/// for the loop.
[[nodiscard]] core::Result<LedgerFigures, std::string> read_ledger_figures(
    std::filesystem::path const& database, core::WallTime now);

void sample(LedgerFigures const& figures, Samples& samples);

}  // namespace onetap::app
