#include "core/log.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace onetap::core {

namespace {

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// The bytes of the well-formed character that `text` begins with (Unicode, table 3-7), or 0.
std::size_t utf8_character_bytes(std::string_view text) {
  auto const lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return 1;
  std::size_t const size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  auto const second = static_cast<unsigned char>(text[1]);
  bool const overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  bool const surrogate = lead == 0xED && second > 0x9F;
  bool const beyond_unicode = lead == 0xF4 && second > 0x8F;
  return overlong || surrogate || beyond_unicode ? 0 : size;
}

std::string with_valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    std::size_t const size = utf8_character_bytes(text);
    valid += size == 0 ? replacement_character : text.substr(0, size);
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return valid;
}

// As nearly all that is written is: it stands in JSON as it is. Looks at all of it, several characters at a
// time.
bool is_plain(std::string_view text) {
  bool plain = true;
  for (char const c : text) plain &= c >= ' ' && c <= '~' && c != '"' && c != '\\';
  return plain;
}

void append(std::string& line, std::string_view text) {
  if (!is_plain(text)) {
    line += boost::json::serialize(with_valid_utf8(text));
    return;
  }
  line += '"';
  line += text;
  line += '"';
}

void append(std::string& line, bool flag) { line += flag ? "true" : "false"; }

template <class Number>
  requires std::is_arithmetic_v<Number>
void append_number(std::string& line, Number number) {
  std::array<char, 32> digits{};
  auto const written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  line.append(digits.data(), written.ptr);
}

void append(std::string& line, std::int64_t number) { append_number(line, number); }
void append(std::string& line, std::uint64_t number) { append_number(line, number); }

void append(std::string& line, double number) {
  if (std::isfinite(number)) {
    append_number(line, number);
  } else {
    line += "null";
  }
}

/// `number` with zeros in front, so that it has `width` digits.
void append_padded(std::string& line, std::int64_t number, std::size_t width) {
  std::string const digits = std::to_string(number);
  if (digits.size() < width) line.append(width - digits.size(), '0');
  line += digits;
}

void append_iso_8601(std::string& line, WallTime at) {
  auto const day = std::chrono::floor<std::chrono::days>(at);
  std::chrono::year_month_day const date(day);
  std::chrono::hh_mm_ss const time(at - day);
  append_padded(line, static_cast<int>(date.year()), 4);
  line += '-';
  append_padded(line, static_cast<unsigned>(date.month()), 2);
  line += '-';
  append_padded(line, static_cast<unsigned>(date.day()), 2);
  line += 'T';
  append_padded(line, time.hours().count(), 2);
  line += ':';
  append_padded(line, time.minutes().count(), 2);
  line += ':';
  append_padded(line, time.seconds().count(), 2);
  line += '.';
  append_padded(line, time.subseconds().count(), 3);
  line += 'Z';
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::error: return "error";
    case LogLevel::warn: return "warn";
    case LogLevel::info: return "info";
    case LogLevel::debug: return "debug";
  }
  return "";
}

std::optional<LogLevel> log_level_from(std::string_view text) {
  for (LogLevel const level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    if (text == to_string(level)) return level;
  }
  return std::nullopt;
}

Log::Log(Sink sink, LogLevel level, WallClock wall_clock)
    : sink_(std::move(sink)), level_(level), wall_clock_(std::move(wall_clock)) {}

void Log::error(std::string_view msg, std::initializer_list<Field> fields) const {
  write(LogLevel::error, msg, fields);
}
void Log::warn(std::string_view msg, std::initializer_list<Field> fields) const {
  write(LogLevel::warn, msg, fields);
}
void Log::info(std::string_view msg, std::initializer_list<Field> fields) const {
  write(LogLevel::info, msg, fields);
}
void Log::debug(std::string_view msg, std::initializer_list<Field> fields) const {
  write(LogLevel::debug, msg, fields);
}

void Log::always(std::string_view msg, std::initializer_list<Field> fields) const {
  emit(LogLevel::info, msg, fields);
}

void Log::write(LogLevel level, std::string_view msg, std::span<Field const> fields) const {
  if (writes(level)) emit(level, msg, fields);
}

void Log::emit(LogLevel level, std::string_view msg, std::span<Field const> fields) const {
  std::string line;
  line.reserve(512);
  line += R"({"ts":")";
  append_iso_8601(line, wall_clock_());
  line += R"(","level":")";
  line += to_string(level);
  line += R"(","msg":)";
  append(line, msg);
  for (Field const& field : fields) {
    line += ',';
    append(line, field.name());
    line += ':';
    std::visit([&line](auto value) { append(line, value); }, field.value());
  }
  line += '}';
  sink_(level, line);
}

}  // namespace onetap::core
