#pragma once

#include <string>
#include <string_view>

namespace onetap::app {

/// The first parameter of that name in a URL's query, decoded; empty when it is not there, as WeChat
/// treats the two alike.
[[nodiscard]] std::string query_parameter(std::string_view query, std::string_view name);

}  // namespace onetap::app
