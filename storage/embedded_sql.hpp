#pragma once

#include <map>
#include <span>
#include <string_view>

#include "core/embedded_file.hpp"

namespace onetap::storage {

/// The files of storage/schema, in the binary.
[[nodiscard]] std::span<core::EmbeddedFile const> embedded_sql();

/// The text of one of them, e.g. "views.sql". Throws std::logic_error when there is none.
[[nodiscard]] std::string_view sql_file(std::string_view path);

/// The statements of a file in which each stands below a line "-- name: its_name".
[[nodiscard]] std::map<std::string_view, std::string_view> named_statements(std::string_view file_text);

/// The statement of hot.sql with this name. Throws std::logic_error when there is none.
[[nodiscard]] std::string_view hot_sql(std::string_view name);

}  // namespace onetap::storage
