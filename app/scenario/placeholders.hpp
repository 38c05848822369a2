#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace onetap::app {

/// The value of a name between "${" and "}"; none when there is no such name.
using PlaceholderValues = std::function<std::optional<std::string>(std::string_view name)>;

/// `text` with every ${name} replaced. Built in: ${repeat:x:600} is "x" 600 times (at most 1,000,000
/// bytes), ${byte:ff} is the byte of that value. Otherwise a sentence that names what has no value.
[[nodiscard]] core::Result<std::string, std::string> expand_placeholders(std::string_view text,
                                                                         PlaceholderValues const& values);

/// The names in `text`, without the built-in ones.
[[nodiscard]] core::Result<std::vector<std::string>, std::string> placeholder_names(std::string_view text);

}  // namespace onetap::app
