#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// NULL, an integer, a number or text, as the view has it.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;

  /// NULL where there is no such row or column.
  [[nodiscard]] Value at(std::size_t row, std::string_view column) const;
};

/// "", "12", "0.03", "ok".
[[nodiscard]] std::string to_text(Value const& value);

struct Verification {
  Table violations;                        // of v_verify: rule, id, detail
  Table notes;                             // what a starting server will put right by itself
  std::vector<std::string> damaged_pages;  // SQLite's integrity and foreign key checks

  [[nodiscard]] bool is_clean() const { return violations.rows.empty() && damaged_pages.empty(); }
};

/// Reads a ledger that a server may be writing, through a connection that can't write. One thread's.
/// Reads throw SqliteError when the file is damaged or a writer holds it.
class Reports {
 public:
  /// A sentence for the operator when there is no readable ledger of this schema.
  [[nodiscard]] static core::Result<Reports, std::string> open(std::filesystem::path const& path);

  /// From now on reads end with a SqliteError when `is_over`, which is called often, on the reading thread.
  void give_up_when(std::function<bool()> is_over);

  /// From the next read on, all reads are of one state of the ledger. Until then the WAL can't be truncated,
  /// so this is for short.
  void hold_still();

  /// What the statement of schema/reports.sql or schema/dashboard.sql with this name reads; std::out_of_range
  /// when there is none.
  [[nodiscard]] Table named(std::string_view name, std::initializer_list<Parameter> parameters = {});

  /// All invariants. While no server runs, what its start puts right (an open attempt, an overdue number)
  /// is a note. `progress` hears of work done, of about how much; `stop` ends it with a SqliteError.
  [[nodiscard]] Verification verify(
      bool server_runs, std::function<void(std::int64_t done, std::int64_t about)> const& progress = {},
      std::stop_token const& stop = {});

  /// Any one SELECT.
  [[nodiscard]] Table query(std::string_view sql, std::initializer_list<Parameter> parameters);

 private:
  explicit Reports(Connection connection) : connection_(std::move(connection)) {}

  std::unique_ptr<std::function<bool()>> is_over_;  // outlives the connection, which calls it
  Connection connection_;
};

}  // namespace onetap::storage
