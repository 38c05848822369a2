#include "net/wechat/route.hpp"

namespace onetap::net {
namespace {

std::string in_brackets_if_ipv6(std::string const& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

std::string authority_of(WeChatAddress const& address) {
  return in_brackets_if_ipv6(address.host) + ":" + std::to_string(address.port);
}

std::string host_field_of(WeChatAddress const& address) {
  constexpr unsigned short https_port = 443;
  return address.port == https_port ? in_brackets_if_ipv6(address.host) : authority_of(address);
}

}  // namespace onetap::net
