#include "app/metrics/ledger_figures.hpp"

#include <chrono>
#include <system_error>
#include <variant>

#include "storage/reports.hpp"

namespace onetap::app {
namespace {

using storage::Table;

std::string text_at(Table const& table, std::size_t row, std::string_view column) {
  return storage::to_text(table.at(row, column));
}

std::int64_t integer_at(Table const& table, std::size_t row, std::string_view column) {
  storage::Value const value = table.at(row, column);
  auto const* const integer = std::get_if<std::int64_t>(&value);
  return integer == nullptr ? 0 : *integer;
}

double timestamp_of(core::WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

std::uintmax_t size_of(std::filesystem::path const& path) {
  std::error_code error;
  std::uintmax_t const bytes = std::filesystem::file_size(path, error);
  return error ? 0 : bytes;
}

void read_files(std::filesystem::path const& database, LedgerFigures& figures) {
  figures.database_bytes = size_of(database);
  figures.wal_bytes = size_of(database.string() + "-wal");
  std::error_code error;
  auto const space = std::filesystem::space(database, error);
  figures.disk_free_bytes = error ? 0 : space.available;
}

void read_tables(storage::Reports& reports, LedgerFigures& figures) {
  Table const units = reports.named("metrics_units");
  for (std::size_t row = 0; row < units.rows.size(); ++row) {
    figures.units.push_back({.appid = text_at(units, row, "app_id"),
                             .kind = text_at(units, row, "kind"),
                             .account = text_at(units, row, "account"),
                             .units = integer_at(units, row, "units")});
  }
  Table const doubts = reports.named("metrics_doubts");
  for (std::size_t row = 0; row < doubts.rows.size(); ++row) {
    std::int64_t const codes = integer_at(doubts, row, "codes");
    auto const oldest = core::wall_time_of_unix_ms(integer_at(doubts, row, "oldest_ms"));
    figures.doubts.push_back({.appid = text_at(doubts, row, "app_id"),
                              .kind = text_at(doubts, row, "kind"),
                              .codes = codes,
                              .oldest = codes > 0 ? std::optional(oldest) : std::nullopt});
  }
  Table const events = reports.named("metrics_events");
  for (std::size_t row = 0; row < events.rows.size(); ++row) {
    figures.events.push_back({.appid = text_at(events, row, "app_id"),
                              .kind = text_at(events, row, "kind"),
                              .type = text_at(events, row, "type"),
                              .events = integer_at(events, row, "events")});
  }
  Table const leaks = reports.named("metrics_leaks", {core::unix_ms(figures.at)});
  for (std::size_t row = 0; row < leaks.rows.size(); ++row) {
    auto const issued = static_cast<double>(integer_at(leaks, row, "issued"));
    auto const never_presented = static_cast<double>(integer_at(leaks, row, "never_presented"));
    figures.leaks.push_back({.appid = text_at(leaks, row, "app_id"),
                             .kind = text_at(leaks, row, "kind"),
                             .ratio = never_presented / issued});
  }
}

}  // namespace

core::Result<LedgerFigures, std::string> read_ledger_figures(std::filesystem::path const& database,
                                                             core::WallTime now) {
  LedgerFigures figures{.at = now};
  read_files(database, figures);
  try {
    auto reports = storage::Reports::open(database);
    if (!reports) return {boost::system::in_place_error, reports.error()};
    read_tables(*reports, figures);
  } catch (storage::SqliteError const& error) {
    return {boost::system::in_place_error, error.what()};
  }
  return figures;
}

void sample(LedgerFigures const& figures, Samples& samples) {
  samples.gauge("onetap_ledger_units", "Units of all packs together, by the ledger's accounts.");
  for (auto const& each : figures.units) {
    samples.add(static_cast<double>(each.units),
                {{"app", each.appid}, {"kind", each.kind}, {"account", each.account}});
  }
  samples.gauge("onetap_doubt_codes", "Codes of which nobody knows whether WeChat has charged.");
  for (auto const& each : figures.doubts)
    samples.add(static_cast<double>(each.codes), {{"app", each.appid}, {"kind", each.kind}});
  samples.gauge("onetap_doubt_oldest_timestamp_seconds", "When the oldest of these doubts arose.");
  for (auto const& each : figures.doubts) {
    if (each.oldest) samples.add(timestamp_of(*each.oldest), {{"app", each.appid}, {"kind", each.kind}});
  }
  samples.counter("onetap_page_events_total",
                  "What pages have told since the ledger began, and never_presented: codes issued that never "
                  "came.");
  for (auto const& each : figures.events) {
    samples.add(static_cast<double>(each.events),
                {{"app", each.appid}, {"kind", each.kind}, {"type", each.type}});
  }
  samples.gauge("onetap_leak_ratio",
                "Of the codes issued in the last seven days, by the pages, the share that never came.");
  for (auto const& each : figures.leaks) samples.add(each.ratio, {{"app", each.appid}, {"kind", each.kind}});
  samples.gauge("onetap_database_size_bytes", "Of the ledger's file.");
  samples.add(static_cast<double>(figures.database_bytes));
  samples.gauge("onetap_wal_size_bytes", "Of the ledger's write-ahead log.");
  samples.add(static_cast<double>(figures.wal_bytes));
  samples.gauge("onetap_disk_free_bytes", "Free on the ledger's file system.");
  samples.add(static_cast<double>(figures.disk_free_bytes));
  samples.gauge("onetap_ledger_read_timestamp_seconds", "When the ledger was read for these figures.");
  samples.add(timestamp_of(figures.at));
}

}  // namespace onetap::app
