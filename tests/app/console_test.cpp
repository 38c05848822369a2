#include "app/console.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>

using namespace onetap::app;
namespace core = onetap::core;

TEST_CASE("Chinese characters and full-width signs take two columns, marks that combine none") {
  CHECK(display_width("") == 0);
  CHECK(display_width("ok 138****8000") == 14);
  CHECK(display_width("获取成功") == 8);
  CHECK(display_width("授权已过期，请重新点击") == 22);
  CHECK(display_width("¥0.03 · – ✓") == 11);
  CHECK(display_width("ｅ（）") == 6);
  CHECK(display_width("e\xCC\x81") == 1);
  CHECK(display_width("\xF0\x9F\x98\x80") == 2);
}

TEST_CASE("bytes that are no UTF-8 neither crash nor run past the end") {
  CHECK(display_width("\xE8\x8E") == 1);
  CHECK(display_width("\xFF") == 1);
  CHECK(display_width("a\x80") == 2);
}

TEST_CASE("padding counts columns, not bytes, and never cuts") {
  CHECK(padded("成功", 6) == "成功  ");
  CHECK(padded("成功", 6, Align::right) == "  成功");
  CHECK(padded("成功", 3) == "成功");
}

TEST_CASE("columns of a table line up under wide headings, numbers to the right") {
  std::string const table = render_table(
      {{"日期", "金额（元）", "状态"}, {"2026-11-22", "0.66", "成功"}, {"2026-11-23", "-12.03", "ok"}}, 2);
  CHECK(table ==
        "  日期        金额（元）  状态\n"
        "  2026-11-22        0.66  成功\n"
        "  2026-11-23      -12.03  ok\n");
}

TEST_CASE("a table without rows is nothing") { CHECK(render_table({}, 2).empty()); }

TEST_CASE("colours are left out where they are not wanted") {
  CHECK(Painter(false)(Ink::red, "no") == "no");
  CHECK(Painter(true)(Ink::plain, "so") == "so");
  CHECK(Painter(true)(Ink::red, "no") == "\033[31mno\033[0m");
}

namespace {

/// The language's variables for one test, and then as they were.
class LanguageVariables {
 public:
  LanguageVariables() {
    for (Variable& variable : variables_) {
      char const* const value = std::getenv(variable.name);
      if (value != nullptr) variable.value = value;
      ::unsetenv(variable.name);
    }
  }
  LanguageVariables(LanguageVariables const&) = delete;
  LanguageVariables& operator=(LanguageVariables const&) = delete;
  ~LanguageVariables() {
    for (Variable const& variable : variables_) {
      ::unsetenv(variable.name);
      if (variable.value) ::setenv(variable.name, variable.value->c_str(), 1);
    }
  }

 private:
  struct Variable {
    char const* name;
    std::optional<std::string> value{};
  };
  std::array<Variable, 3> variables_{Variable{"LC_ALL"}, Variable{"LC_MESSAGES"}, Variable{"LANG"}};
};

}  // namespace

TEST_CASE("the first language variable that is set decides") {
  LanguageVariables const restored_afterwards;
  CHECK(console_language() == core::Language::english);
  ::setenv("LANG", "zh_CN.UTF-8", 1);
  CHECK(console_language() == core::Language::chinese);
  ::setenv("LC_MESSAGES", "en_GB.UTF-8", 1);
  CHECK(console_language() == core::Language::english);
  ::setenv("LC_ALL", "zh_TW", 1);
  CHECK(console_language() == core::Language::chinese);
  ::setenv("LC_ALL", "", 1);
  CHECK(console_language() == core::Language::english);
}
