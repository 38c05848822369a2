#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/storage/proof_ledger.hpp"

namespace onetap::tests {

/// The operation that fails after the n-th: each of the first hundreds, then each 53rd, since a migration
/// allocates tens of thousands of times. With ONETAP_FAILURES=24 only each of the first twelve, then each
/// 1,272nd: for builds that take long. With ONETAP_FAILURES=all each.
inline std::int64_t next_to_fail(std::int64_t nth) {
  static char const* const wish = std::getenv("ONETAP_FAILURES");
  if (wish != nullptr && std::string_view(wish) == "all") return nth + 1;
  static auto const sparseness = static_cast<std::int64_t>(run_figure("ONETAP_FAILURES", 1));
  std::int64_t const each_until = 300 / sparseness;
  return nth + (nth < each_until ? 1 : 53 * sparseness);
}

/// SQLite's allocations, of which one can be made to fail.
class FailingMemory {
 public:
  /// Before SQLite is first used.
  static FailingMemory& install() {
    static FailingMemory memory;
    return memory;
  }

  void fail(std::int64_t nth) {
    countdown_ = nth;
    has_failed_ = false;
  }
  void forget_failure() { countdown_ = 0; }
  [[nodiscard]] bool has_failed() const { return has_failed_; }

 private:
  FailingMemory() {
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real());
    sqlite3_mem_methods methods = real();
    methods.xMalloc = [](int size) { return install().strikes() ? nullptr : real().xMalloc(size); };
    methods.xRealloc = [](void* memory, int size) {
      return install().strikes() ? nullptr : real().xRealloc(memory, size);
    };
    REQUIRE(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
  }

  static sqlite3_mem_methods& real() {
    static sqlite3_mem_methods methods{};
    return methods;
  }

  bool strikes() {
    if (countdown_ == 0 || --countdown_ != 0) return false;
    has_failed_ = true;
    return true;
  }

  std::int64_t countdown_ = 0;
  bool has_failed_ = false;
};

}  // namespace onetap::tests
