#include "storage/reconciliation.hpp"

#include <algorithm>
#include <limits>

#include "core/limits.hpp"

namespace onetap::storage {
namespace {

using core::unix_ms;
using core::reconciliation::Books;
using core::reconciliation::Figures;

constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();

std::int64_t integer_at(Table const& table, std::size_t row, std::string_view column) {
  Value const value = table.at(row, column);
  auto const* const integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? *integer : 0;
}

core::WallTime time_at(Table const& table, std::size_t row, std::string_view column) {
  return core::wall_time_of_unix_ms(integer_at(table, row, column));
}

/// Reads what is known of packs, by ids of codes: those after `first` up to `last`.
class Reader {
 public:
  explicit Reader(Reports& reports) : reports_(reports) {}

  struct Codes {
    std::int64_t used = 0;
    std::int64_t lost = 0;
    std::int64_t doubt = 0;
  };
  [[nodiscard]] Codes codes_of(std::int64_t pack, std::int64_t first, std::int64_t last) {
    Table const table = reports_.named("codes_of_pack", {pack, first, last});
    return {.used = integer_at(table, 0, "used"),
            .lost = integer_at(table, 0, "lost"),
            .doubt = integer_at(table, 0, "doubt")};
  }

  /// Charged codes of the last minutes before `as_of`, up to `last`.
  [[nodiscard]] std::int64_t young(std::int64_t pack, core::WallTime as_of, std::int64_t last) {
    core::milliseconds const lag = core::limits::usage_lag_max;
    Table const first = reports_.named("first_consumption", {unix_ms(as_of) - lag.count()});
    Codes const codes = codes_of(pack, integer_at(first, 0, "id") - 1, last);
    return codes.used + codes.lost;
  }

  /// Units that WeChat counted of a pack over gaps between these times, beyond the codes that are known.
  [[nodiscard]] std::int64_t in_gaps(std::int64_t pack, std::int64_t from_ms, std::int64_t until_ms) {
    std::int64_t units = 0;
    Table const gaps = reports_.named("gaps_within", {from_ms, until_ms});
    for (std::size_t row = 0; row < gaps.rows.size(); ++row) {
      Table const around = reports_.named(
          "figures_around", {pack, integer_at(gaps, row, "since"), integer_at(gaps, row, "until")});
      if (around.rows.empty()) continue;
      Codes const known = codes_of(pack, integer_at(around, 0, "first_consumption"),
                                   integer_at(around, 0, "last_consumption"));
      std::int64_t const counted =
          integer_at(around, 0, "used_at_last") - integer_at(around, 0, "used_at_first");
      units += std::max<std::int64_t>(0, counted - known.used - known.lost);
    }
    return units;
  }

  [[nodiscard]] std::int64_t one(std::string_view name, std::initializer_list<Parameter> parameters) {
    return integer_at(reports_.named(name, parameters), 0, "units");
  }

 private:
  Reports& reports_;
};

Figures figures_in(Table const& table, std::size_t row) {
  Figures figures;
  figures.pack = integer_at(table, row, "pack");
  figures.wx_pkg_id = to_text(table.at(row, "wx_pkg_id"));
  figures.units = integer_at(table, row, "units");
  figures.as_of = time_at(table, row, "as_of");
  figures.wx_all = integer_at(table, row, "wx_all");
  figures.wx_used = integer_at(table, row, "wx_used");
  figures.used_before = integer_at(table, row, "used_before");
  figures.used = integer_at(table, row, "our_used");
  figures.lost = integer_at(table, row, "our_lost");
  figures.doubt = integer_at(table, row, "our_doubt");
  return figures;
}

/// Those of the row's mini program and kind; rows come together.
Books& books_of(std::vector<Books>& all, Table const& table, std::size_t row) {
  std::string appid = to_text(table.at(row, "app_id"));
  core::Kind const kind =
      to_text(table.at(row, "kind")) == "realtime" ? core::Kind::realtime : core::Kind::quick;
  if (all.empty() || all.back().appid != appid || all.back().kind != kind)
    all.push_back({.appid = std::move(appid), .kind = kind});
  return all.back();
}

std::int64_t never_presented(Reports& reports, Books const& books, std::string const& day) {
  Table const table = reports.named("never_presented", {books.appid, core::to_string(books.kind), day});
  return integer_at(table, 0, "codes");
}

std::vector<Books> read_lives(Reports& reports, std::string const& appid) {
  Reader reader(reports);
  std::vector<Books> all;
  Table const packs = reports.named("reconciliation", {appid});
  for (std::size_t row = 0; row < packs.rows.size(); ++row) {
    Figures figures = figures_in(packs, row);
    figures.young = reader.young(figures.pack, figures.as_of, integer_at(packs, row, "last_consumption"));
    figures.in_gaps = reader.in_gaps(figures.pack, 0, end_of_time);
    books_of(all, packs, row).packs.push_back(std::move(figures));
  }
  for (Books& books : all) {
    std::string_view const kind = core::to_string(books.kind);
    books.elsewhere = reader.one("units_elsewhere", {books.appid, kind});
    std::int64_t const leaks = reader.one("leaks_of_kind", {books.appid, kind});
    books.never_presented = std::max<std::int64_t>(0, never_presented(reports, books, "") - leaks);
  }
  return all;
}

std::vector<Books> read_day(Reports& reports, std::string const& appid, Day const& day) {
  Reader reader(reports);
  std::vector<Books> all;
  struct Range {
    std::int64_t first = end_of_time;
    std::int64_t last = 0;
  };
  std::vector<Range> ranges;
  Table const packs = reports.named("reconciliation_within", {appid, unix_ms(day.from), unix_ms(day.until)});
  for (std::size_t row = 0; row < packs.rows.size(); ++row) {
    Figures figures = figures_in(packs, row);
    std::int64_t const first = integer_at(packs, row, "first_consumption");
    std::int64_t const last = integer_at(packs, row, "last_consumption");
    Reader::Codes const codes = reader.codes_of(figures.pack, first, last);
    figures.used = codes.used;
    figures.lost = codes.lost;
    figures.doubt = codes.doubt;
    figures.young = reader.young(figures.pack, figures.as_of, last);
    core::WallTime const since = time_at(packs, row, "since");
    if (unix_ms(since) > 0) figures.young_at_start = reader.young(figures.pack, since, first);
    figures.in_gaps = reader.in_gaps(figures.pack, unix_ms(day.from), unix_ms(day.until));
    figures.leaked_since = reader.one("leaks_of_pack_since", {figures.pack, unix_ms(day.from)});
    Books& books = books_of(all, packs, row);
    ranges.resize(all.size());
    ranges.back().first = std::min(ranges.back().first, first);
    ranges.back().last = std::max(ranges.back().last, last);
    books.packs.push_back(std::move(figures));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    Books& books = all[i];
    books.elsewhere = reader.one("units_elsewhere_within",
                                 {books.appid, core::to_string(books.kind), ranges[i].first, ranges[i].last});
    books.never_presented = never_presented(reports, books, day.name);
  }
  return all;
}

}  // namespace

std::vector<Books> read_books(Reports& reports, std::string const& appid, std::optional<Day> const& day) {
  return day ? read_day(reports, appid, *day) : read_lives(reports, appid);
}

// What was booked as a leak explains no other: first the codes that never came, then those that were refused.
std::int64_t count_rejected(Reports& reports, Books const& books, std::optional<Day> const& day) {
  std::string_view const kind = core::to_string(books.kind);
  Table const table =
      reports.named("rejected_codes", {books.appid, kind, day ? unix_ms(day->from) : std::int64_t{0},
                                       day ? unix_ms(day->until) : end_of_time});
  std::int64_t const rejected = integer_at(table, 0, "codes");
  if (day) return rejected;
  std::int64_t const leaks = Reader(reports).one("leaks_of_kind", {books.appid, kind});
  std::int64_t const booked = std::max<std::int64_t>(0, leaks - never_presented(reports, books, ""));
  return std::max<std::int64_t>(0, rejected - booked);
}

}  // namespace onetap::storage
