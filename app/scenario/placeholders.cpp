#include "app/scenario/placeholders.hpp"

#include <charconv>
#include <cstddef>

namespace onetap::app {
namespace {

using Text = core::Result<std::string, std::string>;

Text refused(std::string_view name, std::string_view reason) {
  std::string sentence("${");
  sentence.append(name).append("}: ").append(reason);
  return Text(boost::system::in_place_error, std::move(sentence));
}

std::optional<std::size_t> read_number(std::string_view digits, int base) {
  std::size_t number = 0;
  auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Text repeated(std::string_view name) {
  constexpr std::size_t bytes_max = 1'000'000;
  std::string_view const arguments = name.substr(name.find(':') + 1);
  std::size_t const colon = arguments.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return refused(name, "write ${repeat:x:600}");
  std::string_view const piece = arguments.substr(0, colon);
  std::optional<std::size_t> const count = read_number(arguments.substr(colon + 1), 10);
  if (!count || *count > bytes_max / piece.size()) return refused(name, "write ${repeat:x:600}");
  std::string text;
  for (std::size_t i = 0; i < *count; ++i) text += piece;
  return Text(boost::system::in_place_value, std::move(text));
}

Text one_byte(std::string_view name) {
  constexpr std::size_t byte_max = 0xFF;
  std::optional<std::size_t> const value = read_number(name.substr(name.find(':') + 1), 16);
  if (!value || *value > byte_max) return refused(name, "write two hex digits: ${byte:ff}");
  return Text(boost::system::in_place_value, std::string(1, static_cast<char>(*value)));
}

bool is_built_in(std::string_view name) { return name.starts_with("repeat:") || name.starts_with("byte:"); }

Text value_of(std::string_view name, PlaceholderValues const& values) {
  if (name.starts_with("repeat:")) return repeated(name);
  if (name.starts_with("byte:")) return one_byte(name);
  std::optional<std::string> value = values(name);
  if (!value) return refused(name, "has no value here");
  return Text(boost::system::in_place_value, std::move(*value));
}

}  // namespace

core::Result<std::string, std::string> expand_placeholders(std::string_view text,
                                                           PlaceholderValues const& values) {
  std::string expanded;
  while (true) {
    std::size_t const begin = text.find("${");
    expanded += text.substr(0, begin);
    if (begin == std::string_view::npos) return Text(boost::system::in_place_value, std::move(expanded));
    std::size_t const end = text.find('}', begin);
    if (end == std::string_view::npos) return refused(text.substr(begin + 2), "the closing } is missing");
    Text const value = value_of(text.substr(begin + 2, end - begin - 2), values);
    if (!value) return value;
    expanded += *value;
    text.remove_prefix(end + 1);
  }
}

core::Result<std::vector<std::string>, std::string> placeholder_names(std::string_view text) {
  using Names = core::Result<std::vector<std::string>, std::string>;
  std::vector<std::string> names;
  auto const note = [&names](std::string_view name) {
    if (!is_built_in(name)) names.emplace_back(name);
    return std::optional<std::string>("");
  };
  Text const walked = expand_placeholders(text, note);
  if (!walked) return Names(boost::system::in_place_error, walked.error());
  return Names(boost::system::in_place_value, std::move(names));
}

}  // namespace onetap::app
