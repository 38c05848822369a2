#include "storage/embedded_sql.hpp"

#include <stdexcept>
#include <string>

namespace onetap::storage {

std::string_view sql_file(std::string_view path) {
  for (core::EmbeddedFile const& file : embedded_sql()) {
    if (file.path == path) return file.text;
  }
  throw std::logic_error("no embedded file " + std::string(path));
}

std::map<std::string_view, std::string_view> named_statements(std::string_view file_text) {
  constexpr std::string_view mark = "-- name: ";
  std::map<std::string_view, std::string_view> statements;
  std::size_t at = file_text.find(mark);
  while (at != std::string_view::npos) {
    std::size_t const name_at = at + mark.size();
    std::size_t const line_end = file_text.find('\n', name_at);
    std::size_t const next = file_text.find(mark, name_at);
    statements.emplace(
        file_text.substr(name_at, line_end - name_at),
        file_text.substr(line_end + 1, next == std::string_view::npos ? next : next - line_end - 1));
    at = next;
  }
  return statements;
}

std::string_view hot_sql(std::string_view name) {
  auto const statements = named_statements(sql_file("hot.sql"));
  auto const found = statements.find(name);
  if (found == statements.end()) throw std::logic_error("no statement " + std::string(name));
  return found->second;
}

}  // namespace onetap::storage
