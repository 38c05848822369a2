#include "app/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace onetap::app {
namespace {

struct CharacterRange {
  std::uint32_t first;
  std::uint32_t last;
};

// Unicode's East Asian Width "W" and "F" (UAX #11), in blocks.
constexpr std::array wide_ranges{
    CharacterRange{0x1100, 0x115F},   CharacterRange{0x2E80, 0x303E},   CharacterRange{0x3041, 0x33FF},
    CharacterRange{0x3400, 0x4DBF},   CharacterRange{0x4E00, 0x9FFF},   CharacterRange{0xA000, 0xA4CF},
    CharacterRange{0xA960, 0xA97F},   CharacterRange{0xAC00, 0xD7A3},   CharacterRange{0xF900, 0xFAFF},
    CharacterRange{0xFE30, 0xFE6F},   CharacterRange{0xFF00, 0xFF60},   CharacterRange{0xFFE0, 0xFFE6},
    CharacterRange{0x1F300, 0x1F64F}, CharacterRange{0x1F900, 0x1F9FF}, CharacterRange{0x20000, 0x3FFFD},
};
constexpr std::array empty_ranges{
    CharacterRange{0x0300, 0x036F},
    CharacterRange{0x200B, 0x200F},
    CharacterRange{0xFE00, 0xFE0F},
};

bool is_in(std::uint32_t character, auto const& ranges) {
  return std::ranges::any_of(ranges, [character](CharacterRange const& range) {
    return character >= range.first && character <= range.last;
  });
}

// Takes one character off `text`; a byte that begins none counts as one.
std::uint32_t take_character(std::string_view& text) {
  auto const lead = static_cast<unsigned char>(text.front());
  std::size_t const size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  std::uint32_t character = size == 1 ? lead : lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size && i < text.size(); ++i) {
    character = character << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(std::min(size, text.size()));
  return character;
}

bool is_number(std::string_view text) {
  if (text == "-") return true;  // none
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string_view begin_of(Ink ink) {
  switch (ink) {
    case Ink::plain: return "";
    case Ink::bold: return "\033[1m";
    case Ink::dim: return "\033[2m";
    case Ink::green: return "\033[32m";
    case Ink::red: return "\033[31m";
  }
  return "";
}

}  // namespace

core::Language console_language() {
  for (char const* const name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    char const* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("zh") ? core::Language::chinese : core::Language::english;
  }
  return core::Language::english;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    std::uint32_t const character = take_character(text);
    if (is_in(character, empty_ranges)) continue;
    width += is_in(character, wide_ranges) ? 2 : 1;
  }
  return width;
}

std::string padded(std::string_view text, std::size_t width, Align align) {
  std::size_t const taken = display_width(text);
  std::string const blanks(taken < width ? width - taken : 0, ' ');
  return align == Align::left ? std::string(text) + blanks : blanks + std::string(text);
}

std::string render_table(std::vector<std::vector<std::string>> const& rows, std::size_t indent) {
  if (rows.empty()) return {};
  std::size_t const columns = rows.front().size();
  std::vector<std::size_t> widths(columns, 0);
  std::vector<Align> aligns(columns, Align::right);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      std::string const& cell = rows[row][column];
      widths[column] = std::max(widths[column], display_width(cell));
      if (row > 0 && !is_number(cell)) aligns[column] = Align::left;
    }
  }
  std::string text;
  for (std::vector<std::string> const& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t column = 0; column < columns; ++column) {
      if (column > 0) line += "  ";
      line += padded(row[column], widths[column], aligns[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text.append(line).append("\n");
  }
  return text;
}

Painter Painter::for_standard_output() {
  char const* const refused = std::getenv("NO_COLOR");
  bool const is_refused = refused != nullptr && *refused != '\0';
  return Painter(::isatty(STDOUT_FILENO) == 1 && !is_refused);
}

std::string Painter::operator()(Ink ink, std::string_view text) const {
  if (!colours_ || ink == Ink::plain) return std::string(text);
  return std::string(begin_of(ink)).append(text).append("\033[0m");
}

}  // namespace onetap::app
