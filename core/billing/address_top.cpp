#include "core/billing/address_top.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/billing/spending.hpp"
#include "core/crypto/digest.hpp"

namespace onetap::core {

void AddressTop::counted(std::string_view address, WallTime now) {
  std::int64_t const hour = hour_of(now);
  hours_.erase(hours_.begin(), hours_.lower_bound(hour - hours_kept + 1));
  Counts& counts = hours_[hour];
  if (auto const found = counts.find(address); found != counts.end()) {
    ++found->second.codes;
    return;
  }
  Count count{.codes = 1};
  if (counts.size() >= limits::top_addresses_kept) {
    auto const least =
        std::ranges::min_element(counts, {}, [](auto const& each) { return each.second.codes; });
    count = {.codes = least->second.codes + 1, .too_high = least->second.codes};
    counts.erase(least);
  }
  counts.emplace(address, count);
}

std::string AddressTop::name_of(std::string_view address) const {
  constexpr std::size_t digits = 16;
  return crypto::to_hex(crypto::hmac_sha256(key_, address)).substr(0, digits);
}

std::vector<AddressTop::Row> AddressTop::top(int hours, WallTime now) const {
  Counts sums;
  for (auto each = hours_.lower_bound(hour_of(now) - hours + 1); each != hours_.end(); ++each) {
    for (auto const& [address, count] : each->second) {
      sums[address].codes += count.codes;
      sums[address].too_high += count.too_high;
    }
  }
  std::vector<Row> rows;
  rows.reserve(sums.size());
  for (auto const& [address, count] : sums)
    rows.push_back({.address = name_of(address), .codes = count.codes, .too_high = count.too_high});
  std::ranges::sort(rows, std::ranges::greater(),
                    [](Row const& row) { return std::pair(row.codes, row.address); });
  if (rows.size() > limits::top_rows_max) rows.resize(limits::top_rows_max);
  return rows;
}

}  // namespace onetap::core
