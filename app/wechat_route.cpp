#include "app/wechat_route.hpp"

namespace onetap::app {
namespace {

net::WeChatAddress wechat_address(HttpsUrl const& url) {
  return {.host = url.host, .port = url.port, .base_path = url.base_path};
}

}  // namespace

net::WeChatRoute wechat_route(Settings const& settings) {
  net::WeChatRoute route{.addresses = {}, .proxy = settings.wechat_proxy};
  route.addresses.push_back(wechat_address(settings.wechat_url));
  for (HttpsUrl const& url : settings.wechat_fallback_urls) route.addresses.push_back(wechat_address(url));
  return route;
}

}  // namespace onetap::app
