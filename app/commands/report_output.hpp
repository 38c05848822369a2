#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/problem.hpp"
#include "storage/reports.hpp"

namespace onetap::app {

enum class Format { table, json, csv };

/// A column of a table for people: the view's name, and the heading over it.
struct Heading {
  std::string_view column;
  std::string_view heading;
  bool last_day = false;  // a time that ends something, as the last day before it
};

/// Every column: JSON as an array of objects, CSV as RFC 4180 has it, with an apostrophe
/// before text that a spreadsheet would take for a formula. For people the columns that `headings`
/// names, one table for each app, yuan with decimals (two from 1000 yuan on) and times in China's.
[[nodiscard]] std::string render(storage::Table const& table, Format format,
                                 std::vector<Heading> const& headings);

/// One row as `{"column": value, …}`, the same way, without a newline at its end; `more` are tables that
/// become arrays within it.
[[nodiscard]] std::string json_object(storage::Table const& table, std::size_t row,
                                      std::vector<std::pair<std::string, storage::Table>> const& more);

/// Each byte that is part of no character becomes U+FFFD: a path may have any bytes, JSON must be UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view text);

/// What a terminal must not be told, replaced: the texts of pages, of WeChat and of notes are theirs. Control
/// characters and those that turn the direction of text become "?"; the rest is valid_utf8().
[[nodiscard]] std::string printable(std::string_view text);

/// "2026-11-22T08:00:00Z" as "2026-11-22 16:00:00"; other text as it is.
[[nodiscard]] std::string china_time(std::string_view iso_utc);

/// "0.03", "12.50", "1.234567": at least two decimals, at most six.
[[nodiscard]] std::string yuan(double amount);

/// "2026-11-22" (from China's midnight on), or "7d", "24h", "30m" back from now.
[[nodiscard]] std::optional<core::WallTime> parse_since(std::string_view text, core::WallTime now);

/// "2026-11-22T08:00:00Z", as the views have it.
[[nodiscard]] std::string iso_utc(core::WallTime time);
/// "2026-11-22"
[[nodiscard]] std::string china_day(core::WallTime time);

/// What became of a code, and what to tell the user: one sentence for a row of v_consumptions. `server_runs`:
/// somebody has the ledger, so an open attempt is being made.
[[nodiscard]] std::string fate_of(storage::Table const& consumptions, std::size_t row,
                                  core::Language language, bool server_runs);

}  // namespace onetap::app
