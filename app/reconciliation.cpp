#include "app/reconciliation.hpp"

#include <algorithm>
#include <utility>

#include "app/commands/report_output.hpp"
#include "app/console.hpp"

namespace onetap::app {
namespace {

using core::reconciliation::Cause;
using core::reconciliation::Figures;
using core::reconciliation::Finding;
using core::reconciliation::Line;
using storage::Table;
using storage::Value;

std::int64_t units_of(Finding const& finding, Cause cause) {
  std::int64_t units = 0;
  for (Line const& line : finding.lines) {
    if (line.cause == cause) units += line.units;
  }
  return units;
}

std::vector<Value> row_of(Reconciled const& each, Finding const& finding) {
  Figures const& figures = finding.figures;
  return {each.books.appid,
          std::string(core::to_string(each.books.kind)),
          figures.pack,
          figures.wx_pkg_id,
          iso_utc(figures.as_of),
          figures.wx_all,
          figures.wx_used,
          figures.used_before,
          figures.used,
          figures.lost,
          figures.doubt,
          units_of(finding, Cause::never_presented),
          figures.drift(),
          finding.unexplained,
          std::string(core::reconciliation::to_string(finding.verdict))};
}

Table explanation_of(Finding const& finding) {
  Table table{.columns = {"cause", "units", "text"}, .rows = {}};
  for (Line const& line : finding.lines) {
    table.rows.push_back({std::string(core::reconciliation::to_string(line.cause)), line.units,
                          core::reconciliation::sentence_of(line, finding.figures)});
  }
  if (finding.unexplained != 0) {
    table.rows.push_back({std::string("unexplained"), finding.unexplained,
                          core::reconciliation::sentence_of_unexplained(finding)});
  }
  return table;
}

std::string signed_text(std::int64_t units) { return (units > 0 ? "+" : "") + std::to_string(units); }

std::string name_of(Figures const& figures) {
  return figures.wx_pkg_id.empty() ? "trial" : printable(figures.wx_pkg_id);
}

// The tail tells WeChat's ids apart; in full they would make the table wider than a terminal.
std::string short_name_of(Figures const& figures) {
  constexpr std::size_t shown = 12;
  std::string const name = name_of(figures);
  return name.size() <= shown + 1 ? name : "…" + name.substr(name.size() - shown);
}

std::string packs_text(Reconciled const& each) {
  std::vector<std::vector<std::string>> lines{
      {"pack", "WeChat's id", "WeChat", "before", "used", "lost", "doubt", "unseen", "drift", "verdict"}};
  for (Finding const& finding : each.findings) {
    Figures const& figures = finding.figures;
    lines.push_back({std::to_string(figures.pack), short_name_of(figures), std::to_string(figures.wx_used),
                     std::to_string(figures.used_before), std::to_string(figures.used),
                     std::to_string(figures.lost), std::to_string(figures.doubt),
                     std::to_string(units_of(finding, Cause::never_presented)), signed_text(figures.drift()),
                     std::string(core::reconciliation::to_string(finding.verdict))});
  }
  return render_table(lines, 2);
}

/// `text` in lines of at most `width` columns, the later ones behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string all;
  std::size_t column = indent;
  while (!text.empty()) {
    std::string_view const word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    std::size_t const taken = display_width(word);
    if (column > indent && column + 1 + taken > width) {
      all.append("\n").append(std::string(indent, ' '));
      column = indent;
    }
    if (column > indent) all += ' ';
    all += word;
    column += taken + (column > indent ? 1 : 0);
  }
  return all;
}

std::string explanation_text(Finding const& finding) {
  constexpr std::size_t units_width = 8;
  constexpr std::size_t cause_width = 17;
  constexpr std::size_t width = 98;
  Figures const& figures = finding.figures;
  Table const lines = explanation_of(finding);
  bool const is_another_size = figures.wx_all != figures.units;
  if (lines.rows.empty() && !is_another_size) return {};
  std::string text = "\n  pack " + std::to_string(figures.pack) + " (" + name_of(figures) + ")\n";
  if (is_another_size) {
    text += "    WeChat says it has " + std::to_string(figures.wx_all) + " units, and it was booked with " +
            std::to_string(figures.units) + "\n";
  }
  for (std::size_t row = 0; row < lines.rows.size(); ++row) {
    std::string const units = signed_text(std::get<std::int64_t>(lines.at(row, "units")));
    text += padded(units, units_width, Align::right) + "  " +
            padded(storage::to_text(lines.at(row, "cause")), cause_width) +
            wrapped(storage::to_text(lines.at(row, "text")), units_width + 2 + cause_width, width) + "\n";
  }
  return text;
}

}  // namespace

std::vector<Reconciled> reconcile(storage::Reports& reports, std::string const& appid,
                                  std::optional<storage::Day> const& day) {
  std::vector<Reconciled> all;
  for (core::reconciliation::Books& books : storage::read_books(reports, appid, day)) {
    std::vector<Finding> findings = core::reconciliation::explain(books);
    bool const has_more =
        std::ranges::any_of(findings, [](Finding const& finding) { return finding.unexplained > 0; });
    if (has_more) {
      books.rejected = storage::count_rejected(reports, books, day);
      findings = core::reconciliation::explain(books);
    }
    all.push_back({.books = std::move(books), .findings = std::move(findings)});
  }
  return all;
}

std::optional<storage::Day> day_of(std::string const& name) {
  constexpr std::size_t day_size = 10;
  if (name.size() != day_size) return std::nullopt;
  auto const from = parse_since(name, core::WallTime());
  if (!from) return std::nullopt;
  return storage::Day{.name = name, .from = *from, .until = *from + std::chrono::hours(24)};
}

Table table_of(std::vector<Reconciled> const& all) {
  Table table{
      .columns = {"app_id", "kind", "pack", "wx_pkg_id", "as_of", "wx_all", "wx_used", "used_before",
                  "our_used", "our_lost", "our_doubt", "never_presented", "drift", "unexplained", "verdict"},
      .rows = {}};
  for (Reconciled const& each : all) {
    for (Finding const& finding : each.findings) table.rows.push_back(row_of(each, finding));
  }
  return table;
}

std::string json_of(std::vector<Reconciled> const& all) {
  Table const table = table_of(all);
  std::string text = "[";
  std::size_t row = 0;
  for (Reconciled const& each : all) {
    for (Finding const& finding : each.findings) {
      text += row == 0 ? "\n  " : ",\n  ";
      text += json_object(table, row, {{"explanation", explanation_of(finding)}});
      ++row;
    }
  }
  return text + (row == 0 ? "]\n" : "\n]\n");
}

std::string text_of(std::vector<Reconciled> const& all, bool explains) {
  std::string text;
  for (Reconciled const& each : all) {
    if (!text.empty()) text += "\n";
    auto const newest = std::ranges::max(each.books.packs, {}, &Figures::as_of).as_of;
    text += "app " + printable(each.books.appid) + ", " + std::string(core::to_string(each.books.kind)) +
            ": WeChat's figures of " + china_time(iso_utc(newest)) + "\n" + packs_text(each);
    if (!explains) continue;
    for (Finding const& finding : each.findings) text += explanation_text(finding);
  }
  return text;
}

bool is_settled(std::vector<Reconciled> const& all) {
  return std::ranges::all_of(
      all, [](Reconciled const& each) { return std::ranges::all_of(each.findings, &Finding::is_settled); });
}

}  // namespace onetap::app
