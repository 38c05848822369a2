#include "app/doctor/report.hpp"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "app/commands/report_output.hpp"

namespace onetap::app {
namespace {

constexpr std::size_t columns_max = 100;

Ink ink_of(FindingStatus status) {
  switch (status) {
    case FindingStatus::ok: return Ink::green;
    case FindingStatus::warning: return Ink::bold;
    case FindingStatus::failed: return Ink::red;
    case FindingStatus::skipped: break;
  }
  return Ink::dim;
}

bool are_of_several_apps(std::span<Finding const> findings) {
  std::set<std::string_view> apps;
  for (Finding const& finding : findings) {
    if (!finding.app.empty()) apps.insert(finding.app);
  }
  return apps.size() > 1;
}

// Word by word from `indent` on, where the first line stands already.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    std::string_view const word = text.substr(0, text.find(' '));
    std::size_t const width = display_width(word);
    if (column > indent && column + 1 + width > columns_max) {
      out.append("\n").append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += width;
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return out + "\n";
}

std::size_t count_of(std::span<Finding const> findings, FindingStatus status) {
  return static_cast<std::size_t>(std::ranges::count(findings, status, &Finding::status));
}

std::string summary(std::span<Finding const> findings) {
  std::string text;
  for (FindingStatus const status :
       {FindingStatus::ok, FindingStatus::warning, FindingStatus::failed, FindingStatus::skipped}) {
    std::size_t const count = count_of(findings, status);
    if (count == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(to_string(status));
  }
  return text + "\n";
}

}  // namespace

std::string render_findings(std::span<Finding const> findings, Painter const& paint) {
  constexpr std::size_t status_width = 7;  // "warning", "skipped"
  bool const names_apps = are_of_several_apps(findings);
  auto const label = [names_apps](Finding const& finding) {
    return names_apps && !finding.app.empty() ? finding.check + " " + finding.app : finding.check;
  };
  std::size_t label_width = 0;
  for (Finding const& finding : findings) label_width = std::max(label_width, display_width(label(finding)));
  std::size_t const indent = status_width + 2 + label_width + 2;
  std::string out;
  for (Finding const& finding : findings) {
    out += paint(ink_of(finding.status), padded(to_string(finding.status), status_width)) + "  " +
           padded(label(finding), label_width) + "  " + wrapped(printable(finding.what), indent);
    if (!finding.advice.empty())
      out += std::string(indent, ' ') + "→ " + wrapped(printable(finding.advice), indent + 2);
  }
  return out + summary(findings);
}

std::string findings_as_json(std::span<Finding const> findings) {
  std::string out = "[";
  for (Finding const& finding : findings) {
    boost::json::object object{{"check", valid_utf8(finding.check)}};
    if (!finding.app.empty()) object["app"] = valid_utf8(finding.app);
    object["status"] = to_string(finding.status);
    object["what"] = valid_utf8(finding.what);
    object["advice"] = valid_utf8(finding.advice);
    out += (out.size() == 1 ? "\n  " : ",\n  ") + boost::json::serialize(object);
  }
  return out + "\n]\n";
}

int exit_status_of(std::span<Finding const> findings) {
  if (count_of(findings, FindingStatus::failed) > 0) return 2;
  return count_of(findings, FindingStatus::warning) > 0 ? 1 : 0;
}

}  // namespace onetap::app
