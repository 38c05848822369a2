#include "app/commands/report_output.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "app/console.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::app {
namespace {

using storage::Table;
using storage::to_text;
using storage::Value;

constexpr auto china = std::chrono::hours(8);

std::string two(unsigned number) { return (number < 10 ? "0" : "") + std::to_string(number); }

std::string day_text(std::chrono::sys_days day) {
  std::chrono::year_month_day const date(day);
  return std::to_string(int(date.year())) + "-" + two(unsigned(date.month())) + "-" +
         two(unsigned(date.day()));
}

std::string clock_text(std::chrono::seconds since_midnight) {
  std::chrono::hh_mm_ss const time(since_midnight);
  return two(static_cast<unsigned>(time.hours().count())) + ":" +
         two(static_cast<unsigned>(time.minutes().count())) + ":" +
         two(static_cast<unsigned>(time.seconds().count()));
}

std::optional<int> digits(std::string_view text) {
  int number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  auto const year = digits(text.substr(0, 4));
  auto const month = digits(text.substr(5, 2));
  auto const day = digits(text.substr(8, 2));
  if (!year || !month || !day || *month < 1 || *day < 1) return std::nullopt;
  std::chrono::year_month_day const date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<std::chrono::sys_seconds> parse_iso_utc(std::string_view text) {
  constexpr std::size_t iso_size = 20;
  if (text.size() != iso_size || text[10] != 'T' || text.back() != 'Z') return std::nullopt;
  auto const day = parse_day(text.substr(0, 10));
  auto const hour = digits(text.substr(11, 2));
  auto const minute = digits(text.substr(14, 2));
  auto const second = digits(text.substr(17, 2));
  if (!day || !hour || !minute || !second) return std::nullopt;
  return *day + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

bool is_null(Value const& value) { return std::holds_alternative<std::monostate>(value); }

std::string json_of(Value const& value) {
  if (is_null(value)) return "null";
  if (auto const* const text = std::get_if<std::string>(&value))
    return boost::json::serialize(boost::json::string(*text));
  return to_text(value);
}

bool is_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Notes and scenes are other people's texts, and a spreadsheet would run them.
bool is_formula(Value const& value) {
  auto const* const text = std::get_if<std::string>(&value);
  return text != nullptr && text->find_first_of("=+-@\t\r") == 0 && !is_number(*text);
}

std::string csv_of(Value const& value) {
  std::string text = (is_formula(value) ? "'" : "") + to_text(value);
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char const letter : text) quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

std::string as_json(Table const& table) {
  std::string out = "[";
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    out += row == 0 ? "\n  " : ",\n  ";
    out += json_object(table, row, {});
  }
  return out + (table.rows.empty() ? "]\n" : "\n]\n");
}

std::string as_csv(Table const& table) {
  std::string out;
  for (std::size_t column = 0; column < table.columns.size(); ++column)
    out += (column > 0 ? "," : "") + table.columns[column];
  out += "\r\n";
  for (std::vector<Value> const& row : table.rows) {
    for (std::size_t column = 0; column < row.size(); ++column)
      out += (column > 0 ? "," : "") + csv_of(row[column]);
    out += "\r\n";
  }
  return out;
}

std::string shown_amount(double amount) {
  // Beyond it nobody looks for a thousandth, and the table would be wider than a terminal.
  constexpr double precise_below = 1000;
  if (std::abs(amount) < precise_below) return yuan(amount);
  constexpr double fen = 100;
  return yuan(std::round(amount * fen) / fen);
}

std::string cell(Value const& value, bool last_day) {
  if (is_null(value)) return "-";
  if (auto const* const amount = std::get_if<double>(&value)) return shown_amount(*amount);
  std::string const text = to_text(value);
  if (auto const time = parse_iso_utc(text)) {
    return last_day ? china_day(*time - std::chrono::seconds(1)) : china_time(text);
  }
  return printable(text);
}

std::string as_tables(Table const& table, std::vector<Heading> const& headings) {
  std::vector<std::string> apps;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    std::string const app = to_text(table.at(row, "app_id"));
    if (std::ranges::find(apps, app) == apps.end()) apps.push_back(app);
  }
  std::string out;
  for (std::string const& app : apps) {
    std::vector<std::vector<std::string>> lines(1);
    for (Heading const& heading : headings) lines.front().emplace_back(heading.heading);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      if (to_text(table.at(row, "app_id")) != app) continue;
      std::vector<std::string>& line = lines.emplace_back();
      for (Heading const& heading : headings)
        line.push_back(cell(table.at(row, heading.column), heading.last_day));
    }
    if (!out.empty()) out += "\n";
    if (!app.empty()) out += "app " + printable(app) + "\n";
    out += render_table(lines, app.empty() ? 0 : 2);
  }
  return out;
}

std::string errcode_of(Table const& table, std::size_t row) {
  std::string const errcode = to_text(table.at(row, "errcode"));
  return errcode.empty() ? std::string() : " (" + errcode + ")";
}

std::string fate_in_english(Table const& table, std::size_t row, core::State state, bool server_runs) {
  std::string const mask = to_text(table.at(row, "phone_mask"));
  switch (state) {
    case core::State::sending:
      if (!server_runs)
        return "it was being exchanged when the server ended; the next start puts it in doubt; tell the user "
               "to tap again";
      return "it is being exchanged right now; tell the user to wait a moment, and look again in a minute";
    case core::State::ok:
      if (mask.empty())
        return "the number was handed over and one unit used, and the person has been erased since; there is "
               "nothing to tell";
      return "the number " + mask +
             " was handed over and one unit used; tell the user that the number arrived";
    case core::State::rejected:
      return "WeChat refused the code" + errcode_of(table, row) +
             " as expired, used before or of another mini program; tell the user to tap again";
    case core::State::retryable:
      return "WeChat has not looked at the code yet; tell the user to try once more within five minutes of "
             "the "
             "first try";
    case core::State::in_doubt:
      return "the answer of WeChat was lost, so nobody knows yet whether it charged; tell the user to tap "
             "again";
    case core::State::lost:
      return "WeChat charged one unit but its number never arrived; tell the user to tap again";
    case core::State::free: break;
  }
  return "no number came, and WeChat did not charge; tell the user to tap again";
}

std::string fate_in_chinese(Table const& table, std::size_t row, core::State state, bool server_runs) {
  std::string const mask = to_text(table.at(row, "phone_mask"));
  switch (state) {
    case core::State::sending:
      if (!server_runs) return "服务结束时正在换取号码，下次启动时会记为存疑；请用户重新点击";
      return "正在换取号码；请用户稍候，一分钟后再查";
    case core::State::ok:
      if (mask.empty()) return "号码已交付并用掉一次额度，此人的信息之后已按要求抹除；无需告知";
      return "号码 " + mask + " 已交付并用掉一次额度；请告知用户号码已收到";
    case core::State::rejected:
      return "微信拒绝了该 code" + errcode_of(table, row) +
             "：已过期、已使用或属于其他小程序；请用户重新点击";
    case core::State::retryable: return "微信尚未处理该 code；请用户在首次尝试后五分钟内重试";
    case core::State::in_doubt: return "微信的应答丢失，是否计费尚不明确；请用户重新点击";
    case core::State::lost: return "微信已计费一次，但号码未能送达；请用户重新点击";
    case core::State::free: break;
  }
  return "未取得号码，微信也未计费；请用户重新点击";
}

constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

// RFC 3629 §4: the bytes that the second of a sequence may be, by the first.
bool may_follow(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0: return second >= 0xA0 && second <= 0xBF;
    case 0xED: return second >= 0x80 && second <= 0x9F;
    case 0xF0: return second >= 0x90 && second <= 0xBF;
    case 0xF4: return second >= 0x80 && second <= 0x8F;
    default: return second >= 0x80 && second <= 0xBF;
  }
}

// Of the character that `text` begins with; 0: it begins with none.
std::size_t utf8_size(std::string_view text) {
  auto const byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char const first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  std::size_t const size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < size || !may_follow(first, byte(1))) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  return size;
}

// C0, DEL and C1
bool is_control(std::string_view character) {
  if (character.size() == 1) return static_cast<unsigned char>(character[0]) < 0x20 || character == "\x7f";
  return character.size() == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
}

// U+202A–U+202E and U+2066–U+2069 show the text after them in another order.
bool is_bidi_control(std::string_view character) {
  if (character.size() != 3) return false;
  auto const last = static_cast<unsigned char>(character[2]);
  if (character.starts_with("\xE2\x80")) return last >= 0xAA && last <= 0xAE;
  return character.starts_with("\xE2\x81") && last >= 0xA6 && last <= 0xA9;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    std::size_t const size = utf8_size(text);
    valid += size > 0 ? text.substr(0, size) : replacement_character;
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return valid;
}

std::string printable(std::string_view text) {
  std::string harmless;
  while (!text.empty()) {
    std::size_t const size = utf8_size(text);
    std::string_view const character = text.substr(0, size);
    if (size == 0) {
      harmless += replacement_character;
    } else if (is_control(character) || is_bidi_control(character)) {
      harmless += '?';
    } else {
      harmless += character;
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return harmless;
}

std::string json_object(Table const& table, std::size_t row,
                        std::vector<std::pair<std::string, Table>> const& more) {
  std::string out = "{";
  auto const add = [&out](std::string const& name, std::string const& value) {
    if (out.size() > 1) out += ", ";
    out.append("\"").append(name).append("\": ").append(value);
  };
  for (std::size_t column = 0; column < table.columns.size(); ++column)
    add(table.columns[column], json_of(table.rows[row][column]));
  for (auto const& [name, inner] : more) {
    std::string array = "[";
    for (std::size_t i = 0; i < inner.rows.size(); ++i)
      array += (i == 0 ? "" : ", ") + json_object(inner, i, {});
    add(name, array + "]");
  }
  return out + "}";
}

std::string render(Table const& table, Format format, std::vector<Heading> const& headings) {
  switch (format) {
    case Format::json: return as_json(table);
    case Format::csv: return as_csv(table);
    case Format::table: break;
  }
  return as_tables(table, headings);
}

std::string china_time(std::string_view iso_utc) {
  auto const utc = parse_iso_utc(iso_utc);
  if (!utc) return std::string(iso_utc);
  std::chrono::sys_seconds const time = *utc + china;
  auto const midnight = std::chrono::floor<std::chrono::days>(time);
  return day_text(midnight) + " " + clock_text(time - midnight);
}

std::string yuan(double amount) {
  std::array<char, 64> text{};
  int const size = std::snprintf(text.data(), text.size(), "%.6f", amount);
  std::string digits_text(text.data(), static_cast<std::size_t>(std::max(size, 0)));
  constexpr std::size_t decimals_to_spare = 4;
  for (std::size_t i = 0; i < decimals_to_spare && digits_text.ends_with('0'); ++i) digits_text.pop_back();
  return digits_text == "-0.00" ? "0.00" : digits_text;
}

std::optional<core::WallTime> parse_since(std::string_view text, core::WallTime now) {
  if (auto const day = parse_day(text)) return core::WallTime(*day - china);
  if (text.size() < 2) return std::nullopt;
  auto const number = digits(text.substr(0, text.size() - 1));
  constexpr int number_max = 100'000;
  if (!number || *number < 0 || *number > number_max) return std::nullopt;
  switch (text.back()) {
    case 'd': return now - std::chrono::hours(24) * *number;
    case 'h': return now - std::chrono::hours(*number);
    case 'm': return now - std::chrono::minutes(*number);
    default: return std::nullopt;
  }
}

std::string iso_utc(core::WallTime time) {
  auto const midnight = std::chrono::floor<std::chrono::days>(time);
  return day_text(midnight) + "T" + clock_text(std::chrono::floor<std::chrono::seconds>(time - midnight)) +
         "Z";
}

std::string china_day(core::WallTime time) {
  return day_text(std::chrono::floor<std::chrono::days>(time + china));
}

std::string fate_of(Table const& consumptions, std::size_t row, core::Language language, bool server_runs) {
  core::State const state =
      core::state_from(to_text(consumptions.at(row, "state"))).value_or(core::State::in_doubt);
  std::string const when = china_time(to_text(consumptions.at(row, "created_at")));
  std::string const id = to_text(consumptions.at(row, "id"));
  if (language == core::Language::chinese)
    return "第 " + id + " 笔，" + when + "：" + fate_in_chinese(consumptions, row, state, server_runs) + "。";
  return "Consumption " + id + " of " + when + ": " + fate_in_english(consumptions, row, state, server_runs) +
         ".";
}

}  // namespace onetap::app
