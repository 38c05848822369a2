#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/exchange/problem.hpp"

namespace onetap::app {

/// What a command speaks, by LC_ALL, LC_MESSAGES and LANG; the first that is set decides, "zh…" is Chinese.
[[nodiscard]] core::Language console_language();

/// Columns on a terminal: East Asian wide characters take two, combining marks none. `text` is UTF-8.
[[nodiscard]] std::size_t display_width(std::string_view text);

enum class Align { left, right };

/// `text` with blanks up to `width` columns; never cut.
[[nodiscard]] std::string padded(std::string_view text, std::size_t width, Align align = Align::left);

/// Rows of equal size as lines: each column as wide as its widest cell, two blanks between, `indent` in
/// front. Columns of which every cell below the heading is a number, or "-", stand to the right.
[[nodiscard]] std::string render_table(std::vector<std::vector<std::string>> const& rows, std::size_t indent);

enum class Ink { plain, bold, dim, green, red };

/// Colours text for standard output: only on a terminal, and never with NO_COLOR.
class Painter {
 public:
  explicit Painter(bool colours) : colours_(colours) {}
  [[nodiscard]] static Painter for_standard_output();

  [[nodiscard]] std::string operator()(Ink ink, std::string_view text) const;

 private:
  bool colours_;
};

}  // namespace onetap::app
