#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/settings.hpp"

namespace onetap::app {

/// ONETAP_APPS: {"apps": [{"appid", "secretFile", "priceQuick"?, "priceRealtime"?, "tokenFile"?,
/// "pushTokenFile"?, "pushAesKeyFile"?}, …]}; prices are texts in yuan, "0.03". What an app leaves out is as
/// in `usual`. Otherwise every problem, one line each.
[[nodiscard]] core::Result<std::vector<MiniProgramSettings>, std::vector<std::string>> read_mini_programs(
    std::string_view text, MiniProgramSettings const& usual, FileReader const& read_file);

}  // namespace onetap::app
