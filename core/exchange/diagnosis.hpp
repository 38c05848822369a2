#pragma once

#include <string_view>

#include "core/secret.hpp"

namespace onetap::core {

/// Why WeChat may have refused a code, which gives one errcode for every cause (facts/wechat-api.md §1.3), by
/// what can be seen of it: `login_code` (it looks like one of wx.login) or `unknown`. Static text.
[[nodiscard]] std::string_view diagnose(Code const& code);

}  // namespace onetap::core
