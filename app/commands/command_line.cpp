#include "app/commands/command_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <map>
#include <utility>

#include "app/systemd.hpp"
#include "core/text.hpp"

namespace onetap::app {
namespace {

using Number = core::Result<core::PhoneNumber, std::string>;

Number no_number(std::string sentence) { return Number(boost::system::in_place_error, std::move(sentence)); }

bool are_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

void add_format_option(CLI::App& options, Format& format, std::string const& what) {
  options.add_option("--format", format, what)
      ->transform(CLI::CheckedTransformer(std::map<std::string, Format>{
          {"table", Format::table}, {"json", Format::json}, {"csv", Format::csv}}))
      ->option_text("table|json|csv");
}

std::optional<int> parse_command_line(CLI::App& options, std::vector<std::string> arguments) {
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    options.parse(std::move(arguments));
  } catch (CLI::ParseError const& refused) {
    return options.exit(refused) == 0 ? exit_done : exit_usage;
  }
  return std::nullopt;
}

std::optional<LedgerAccess> access_ledger(std::string const& database) {
  auto access = LedgerAccess::from(process_environment(), database);
  if (access) return std::move(*access);
  static_cast<void>(fail(exit_usage, access.error()));
  return std::nullopt;
}

int fail(int status, std::string const& sentence) {
  std::cerr << "onetap: " << sentence << "\n";
  return status;
}

core::Result<core::PhoneNumber, std::string> read_phone_number() {
  std::string line;
  if (::isatty(STDIN_FILENO) == 1) std::cerr << "phone number: " << std::flush;
  std::getline(std::cin, line);
  std::string country = "86";
  if (line.starts_with('+')) {
    auto const blank = line.find(' ');
    if (blank == std::string::npos)
      return no_number("write the country and the number apart, e.g. +86 13800138000");
    country = line.substr(1, blank - 1);
    line.erase(0, blank + 1);
  }
  std::erase_if(line, [](char letter) { return letter == ' ' || letter == '-' || letter == '\r'; });
  constexpr std::size_t digits_max = 20;
  if (!are_digits(line) || !are_digits(country) || line.size() > digits_max || country.size() > 4)
    return no_number("standard input has no phone number; write e.g. 13800138000 or +852 61234567");
  core::PhoneNumber number;
  number.pure_phone_number = core::Confidential<core::PurePhoneNumberTag>(line);
  number.country_code = std::move(country);
  std::ranges::fill(line, '\0');
  return Number(boost::system::in_place_value, std::move(number));
}

core::Result<std::string, std::string> read_openid() {
  using Openid = core::Result<std::string, std::string>;
  std::string line;
  if (::isatty(STDIN_FILENO) == 1) std::cerr << "openid: " << std::flush;
  std::getline(std::cin, line);
  std::erase_if(line, [](char letter) { return letter == ' ' || letter == '\r'; });
  if (core::is_openid(line)) return Openid(boost::system::in_place_value, std::move(line));
  return Openid(boost::system::in_place_error, "standard input has no openid");
}

std::optional<std::int64_t> parse_yuan(std::string_view text) {
  constexpr std::size_t decimals_max = 6;
  constexpr std::size_t whole_digits_max = 9;
  std::size_t const point = std::min(text.find('.'), text.size());
  std::string_view const whole = text.substr(0, point);
  std::string decimals(text.substr(std::min(point + 1, text.size())));
  bool const is_yuan = are_digits(whole) && whole.size() <= whole_digits_max &&
                       decimals.size() <= decimals_max && (point == text.size() || are_digits(decimals));
  if (!is_yuan) return std::nullopt;
  decimals.resize(decimals_max, '0');
  std::string const digits = std::string(whole) + decimals;
  std::int64_t micro_yuan = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), micro_yuan);
  return micro_yuan;
}

}  // namespace onetap::app
