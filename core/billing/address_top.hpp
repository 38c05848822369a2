#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/limits.hpp"

namespace onetap::core {

/// Which addresses bring the most codes, in memory; told by digests under a key of this run: nobody learns an
/// address from them. Each hour keeps limits::top_addresses_kept of them; one that has no place takes that of
/// the least (the "space-saving" sketch of Metwally, Agrawal and El Abbadi, 2005): a count may then be too
/// high by at most `too_high`, and whoever brings much is never left out.
class AddressTop {
 public:
  struct Row {
    std::string address;  // 16 hex digits of a keyed digest
    std::int64_t codes = 0;
    std::int64_t too_high = 0;
  };

  /// `key` is random.
  explicit AddressTop(std::array<unsigned char, 32> key) : key_(key) {}

  void counted(std::string_view address, WallTime now);
  /// Of the hour now and those before it, `hours` in all (24 at most); the most first, at most
  /// limits::top_rows_max.
  [[nodiscard]] std::vector<Row> top(int hours, WallTime now) const;

 private:
  struct Count {
    std::int64_t codes = 0;
    std::int64_t too_high = 0;
  };
  using Counts = std::map<std::string, Count, std::less<>>;  // by address

  static constexpr int hours_kept = 24;

  [[nodiscard]] std::string name_of(std::string_view address) const;

  std::array<unsigned char, 32> key_;
  std::map<std::int64_t, Counts> hours_;
};

}  // namespace onetap::core
