#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/commands/ledger_access.hpp"
#include "app/commands/report_output.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"

namespace onetap::app {

inline constexpr int exit_done = 0;
inline constexpr int exit_not_done = 1;
inline constexpr int exit_usage = 2;

/// Parses; an exit status when that is all there was to do (help, or a usage error, already said).
[[nodiscard]] std::optional<int> parse_command_line(CLI::App& options, std::vector<std::string> arguments);

/// --format table|json|csv
void add_format_option(CLI::App& options, Format& format, std::string const& what);

/// The ledger of --db or ONETAP_DB; when it can't be, that is said on standard error.
[[nodiscard]] std::optional<LedgerAccess> access_ledger(std::string const& database);

/// Says it on standard error and returns `status`.
[[nodiscard]] int fail(int status, std::string const& sentence);

/// A phone number from the first line of standard input: it shows in no list of processes and no history.
/// "13800138000", "+86 13800138000"; another country's as "+852 61234567".
[[nodiscard]] core::Result<core::PhoneNumber, std::string> read_phone_number();

/// An openid from the first line of standard input.
[[nodiscard]] core::Result<std::string, std::string> read_openid();

/// Yuan with at most six decimals as micro-yuan; none for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_yuan(std::string_view text);

}  // namespace onetap::app
