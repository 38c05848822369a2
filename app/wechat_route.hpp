#pragma once

#include "app/settings.hpp"
#include "net/wechat/route.hpp"

namespace onetap::app {

/// The ways to WeChat that ONETAP_WECHAT_URL, ONETAP_WECHAT_FALLBACK_URLS and ONETAP_WECHAT_PROXY name.
[[nodiscard]] net::WeChatRoute wechat_route(Settings const& settings);

}  // namespace onetap::app
