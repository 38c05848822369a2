#pragma once

#include <string>
#include <string_view>

namespace onetap::net {

/// The first parameter of that name in a URL's query, decoded; empty when it is not there: WeChat treats the
/// two alike, and so do we with what it sends.
[[nodiscard]] std::string query_parameter(std::string_view query, std::string_view name);

}  // namespace onetap::net
