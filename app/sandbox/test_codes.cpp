#include "app/sandbox/test_codes.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace onetap::app {

namespace json = boost::json;

TestCode const* find_test_code(std::string_view code) {
  for (TestCode const& line : test_codes) {
    if (!code.starts_with(line.code)) continue;
    std::string_view const rest = code.substr(line.code.size());
    if (rest.empty() || rest.starts_with('-')) return &line;
  }
  return nullptr;
}

std::string test_codes_as_text(bool in_chinese) {
  std::size_t width = 0;
  for (TestCode const& line : test_codes) width = std::max(width, line.code.size());
  std::string text;
  auto const append = [&](std::string_view code, std::string_view description) {
    text.append(code).append(width + 2 - code.size(), ' ').append(description).append("\n");
  };
  for (TestCode const& line : test_codes) append(line.code, in_chinese ? line.chinese : line.english);
  text += in_chinese
              ? "每个都可加后缀：sandbox-ok-1、sandbox-ok-2……；其他任何 code 成功一次。\n"
              : "Each may be followed by -<anything>, e.g. sandbox-ok-1; any other code is good once.\n";
  return text;
}

std::string test_codes_as_json() {
  json::array lines;
  for (TestCode const& line : test_codes) {
    json::object object;
    object["code"] = line.code;
    object["errcode"] = line.errcode;
    object["en"] = line.english;
    object["zh"] = line.chinese;
    lines.push_back(std::move(object));
  }
  return json::serialize(lines);
}

}  // namespace onetap::app
