#include "storage/reports.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "storage/embedded_sql.hpp"
#include "storage/migrate.hpp"

namespace onetap::storage {
namespace {

std::string_view report_sql(std::string_view name) {
  static auto const statements = [] {
    auto all = named_statements(sql_file("reports.sql"));
    all.merge(named_statements(sql_file("dashboard.sql")));
    return all;
  }();
  return statements.at(name);
}

Value value_in(Rows const& rows, int column) {
  switch (rows.type(column)) {
    case ColumnType::integer: return rows.integer(column);
    case ColumnType::real: return rows.real(column);
    case ColumnType::text: return rows.text(column);
    case ColumnType::bytes:  // no view shows any
    case ColumnType::null: break;
  }
  return std::monostate{};
}

constexpr int steps_between_looks = 10'000;  // some 100 microseconds

/// SQLite's virtual machine tells how far it is; a consumption takes about so many of its steps.
class Watched {
 public:
  using Progress = std::function<void(std::int64_t done, std::int64_t about)>;

  Watched(Connection& connection, Progress const& progress, std::stop_token const& stop)
      : handle_(connection.handle()), progress_(progress), stop_(stop) {
    constexpr std::int64_t steps_of_consumption = 700;
    about_ =
        1 + connection.integer("SELECT coalesce(max(c.id), 0) FROM consumption AS c") * steps_of_consumption;
    if (progress_ || stop_.stop_possible())
      sqlite3_progress_handler(handle_, steps_at_once, &Watched::step, this);
  }
  Watched(Watched const&) = delete;
  Watched& operator=(Watched const&) = delete;
  ~Watched() { sqlite3_progress_handler(handle_, 0, nullptr, nullptr); }

 private:
  static constexpr int steps_at_once = 100'000;

  static int step(void* self) {
    auto& watched = *static_cast<Watched*>(self);
    watched.done_ += steps_at_once;
    if (watched.progress_)
      watched.progress_(std::min(watched.done_, watched.about_ - watched.about_ / 100), watched.about_);
    return watched.stop_.stop_requested() ? 1 : 0;
  }

  sqlite3* handle_;
  Progress const& progress_;
  std::stop_token const& stop_;
  std::int64_t done_ = 0;
  std::int64_t about_ = 0;
};

bool is_put_right_by_a_start(Value const& rule) {
  auto const* const name = std::get_if<std::string>(&rule);
  return name != nullptr &&
         (*name == "open_attempt_of_earlier_run" || *name == "sealed_number_kept_too_long");
}

}  // namespace

Value Table::at(std::size_t row, std::string_view column) const {
  auto const found = std::ranges::find(columns, column);
  if (found == columns.end() || row >= rows.size()) return {};
  return rows[row].at(static_cast<std::size_t>(found - columns.begin()));
}

std::string to_text(Value const& value) {
  if (auto const* const integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (auto const* const text = std::get_if<std::string>(&value)) return *text;
  auto const* const real = std::get_if<double>(&value);
  if (real == nullptr) return {};
  std::array<char, 64> digits{};
  auto const end =
      std::to_chars(digits.data(), digits.data() + digits.size(), *real, std::chars_format::fixed);
  return {digits.data(), end.ptr};
}

core::Result<Reports, std::string> Reports::open(std::filesystem::path const& path) {
  std::string const name = path.string();
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return "there is no ledger " + name;
  try {
    Connection connection(path, Access::read_only);
    std::optional<std::string> const wrong = check_schema(connection);
    if (wrong) return "the ledger " + name + " cannot be read: " + *wrong;
    if (connection.integer("PRAGMA user_version") != ledger_schema_version) {
      return "the ledger " + name + " is of an older onetap: start the server once to bring it up to date";
    }
    return Reports(std::move(connection));
  } catch (SqliteError const& error) {
    return "the ledger " + name + " cannot be read: " + error.what();
  }
}

void Reports::give_up_when(std::function<bool()> is_over) {
  is_over_ = std::make_unique<std::function<bool()>>(std::move(is_over));
  auto const look = [](void* over) { return (*static_cast<std::function<bool()>*>(over))() ? 1 : 0; };
  sqlite3_progress_handler(connection_.handle(), steps_between_looks, look, is_over_.get());
}

void Reports::hold_still() { connection_.run("BEGIN"); }

Table Reports::query(std::string_view sql, std::initializer_list<Parameter> parameters) {
  Statement statement(connection_, sql);
  Table table{.columns = statement.column_names(), .rows = {}};
  Rows rows = statement.query(parameters);
  while (rows.next()) {
    std::vector<Value> row;
    int const count = static_cast<int>(table.columns.size());
    row.reserve(table.columns.size());
    for (int column = 0; column < count; ++column) row.push_back(value_in(rows, column));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table Reports::named(std::string_view name, std::initializer_list<Parameter> parameters) {
  return query(report_sql(name), parameters);
}

Verification Reports::verify(bool server_runs,
                             std::function<void(std::int64_t done, std::int64_t about)> const& progress,
                             std::stop_token const& stop) {
  Watched const watched(connection_, progress, stop);
  Verification verification;
  Table all = named("verify");
  verification.violations.columns = all.columns;
  verification.notes.columns = all.columns;
  for (std::vector<Value>& row : all.rows) {
    bool const is_note = !server_runs && is_put_right_by_a_start(row.front());
    (is_note ? verification.notes : verification.violations).rows.push_back(std::move(row));
  }
  if (!server_runs) {
    for (std::vector<Value>& row : named("verify_stopped").rows)
      verification.notes.rows.push_back(std::move(row));
  }
  for (std::string_view const check : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"}) {
    for (std::vector<Value> const& row : query(check, {}).rows) {
      std::string const finding = to_text(row.front());
      if (finding != "ok") verification.damaged_pages.push_back(finding);
    }
  }
  return verification;
}

}  // namespace onetap::storage
