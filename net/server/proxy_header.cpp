#include "net/server/proxy_header.hpp"

#include <algorithm>

namespace onetap::net {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t rest_bytes_max = 536;
constexpr std::size_t ipv4_rest_bytes_min = 12;  // two addresses, two ports
constexpr std::size_t ipv6_rest_bytes_min = 36;

unsigned byte_at(std::string_view bytes, std::size_t position) {
  return static_cast<unsigned char>(bytes[position]);
}

template <class Address>
asio::ip::address address_in(std::string_view bytes) {
  typename Address::bytes_type raw{};
  std::ranges::transform(bytes.substr(0, raw.size()), raw.begin(),
                         [](char byte) { return static_cast<unsigned char>(byte); });
  return Address(raw);
}

}  // namespace

std::optional<ProxyHead> read_proxy_head(std::string_view bytes) {
  constexpr unsigned version_2_local = 0x20;
  constexpr unsigned version_2_proxy = 0x21;
  constexpr unsigned tcp_over_ipv4 = 0x11;
  constexpr unsigned tcp_over_ipv6 = 0x21;
  if (bytes.size() != proxy_head_bytes || !bytes.starts_with(signature)) return std::nullopt;
  unsigned const command = byte_at(bytes, 12);
  unsigned const family = byte_at(bytes, 13);
  ProxyHead const head{.is_local = command == version_2_local,
                       .is_ipv4 = family == tcp_over_ipv4,
                       .rest_bytes = byte_at(bytes, 14) * 256 + byte_at(bytes, 15)};
  if (head.rest_bytes > rest_bytes_max) return std::nullopt;
  if (head.is_local) return head;  // its family and what follows are to be ignored
  bool const is_tcp = head.is_ipv4 || family == tcp_over_ipv6;
  std::size_t const bytes_min = head.is_ipv4 ? ipv4_rest_bytes_min : ipv6_rest_bytes_min;
  if (command != version_2_proxy || !is_tcp || head.rest_bytes < bytes_min) return std::nullopt;
  return head;
}

asio::ip::address proxied_source(ProxyHead const& head, std::string_view rest) {
  return head.is_ipv4 ? address_in<asio::ip::address_v4>(rest) : address_in<asio::ip::address_v6>(rest);
}

}  // namespace onetap::net
