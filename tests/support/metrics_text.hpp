#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace onetap::tests {

/// The value of the first line of a scrape that begins with `begin` and has each of `labels`, which commas
/// divide, in it; empty when there is none.
inline std::string value_in(std::string const& text, std::string const& begin, std::string const& labels) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    bool fits = line.starts_with(begin);
    std::istringstream wanted(labels);
    for (std::string label; std::getline(wanted, label, ',');)
      fits = fits && line.find(label) != std::string::npos;
    if (fits) return line.substr(line.rfind(' ') + 1);
  }
  return {};
}

struct ExposedFamily {
  std::string type;
  std::string labels;  // sorted, "app, kind"; without a histogram's `le`
};

/// The families of a scrape, by name.
inline std::map<std::string, ExposedFamily> families_in(std::string const& text) {
  std::map<std::string, ExposedFamily> families;
  std::map<std::string, std::set<std::string>> labels;
  std::string family;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    std::string second;
    words >> first >> second;
    if (first == "#" && second == "TYPE") words >> family >> families[family].type;
    if (first == "#") continue;
    auto const open = line.find('{');
    for (std::size_t at = open; at != std::string::npos && line[at] != '}';) {
      auto const name = at + 1;
      auto const equals = line.find('=', name);
      if (equals == std::string::npos) break;
      labels[family].insert(line.substr(name, equals - name));
      at = line.find('"', equals + 2) + 1;
    }
  }
  for (auto& [name, exposed] : families) {
    for (std::string const& label : labels[name]) {
      if (label == "le") continue;
      exposed.labels.append(exposed.labels.empty() ? "" : ", ").append(label);
    }
  }
  return families;
}

/// The table of docs/metrics.md: "| `name` | type | labels | …", as "type labels" by name.
inline std::map<std::string, std::string> documented_metrics(std::string const& text) {
  std::map<std::string, std::string> documented;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::istringstream cells(line);
    std::string skipped;
    std::string name;
    std::string type;
    std::string labels;
    std::getline(cells, skipped, '|');
    std::getline(cells, name, '|');
    std::getline(cells, type, '|');
    std::getline(cells, labels, '|');
    auto const bare = [](std::string cell) {
      std::erase(cell, '`');
      auto const begin = cell.find_first_not_of(' ');
      return begin == std::string::npos ? std::string()
                                        : cell.substr(begin, cell.find_last_not_of(' ') - begin + 1);
    };
    documented[bare(name)] = bare(type) + " " + bare(labels);
  }
  return documented;
}

}  // namespace onetap::tests
