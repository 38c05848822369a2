#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onetap::net {

namespace asio = boost::asio;

/// Without a disguise: an IPv4-mapped IPv6 address (a dual-stack listener's peers have them) is IPv4's.
[[nodiscard]] asio::ip::address plain_address(asio::ip::address const& address);

/// Addresses that share their first bits, as CIDR notation names them. IPv4 and IPv6 are apart: "::/0"
/// holds no IPv4 address.
class AddressRange {
 public:
  /// "10.0.0.0/8", "fd00::/8", or one address ("10.0.0.7"). Bits behind the prefix are of no account.
  [[nodiscard]] static std::optional<AddressRange> parse(std::string_view text);

  [[nodiscard]] bool contains(asio::ip::address const& address) const;

  bool operator==(AddressRange const&) const = default;

 private:
  std::array<unsigned char, 16> network_{};  // IPv4 in the first four
  unsigned prefix_bits_ = 0;
  bool is_ipv4_ = true;
};

[[nodiscard]] bool is_within(std::span<AddressRange const> ranges, asio::ip::address const& address);

/// Who asks: the peer, or behind trusted proxies the right-most hop of X-Forwarded-For that is none of
/// them. `forwarded_for` are that header's fields in their order; together they are one list. What a
/// stranger wrote further left is not looked at. A hop that is no address ends the walk at the last good one.
[[nodiscard]] asio::ip::address client_address(asio::ip::address const& peer,
                                               std::span<std::string_view const> forwarded_for,
                                               std::span<AddressRange const> trusted);

/// The bytes that limits by address go by: all four of IPv4, the first eight of IPv6, whose /64 is one
/// household's.
[[nodiscard]] std::string limit_key(asio::ip::address const& address);

/// Whether a peer at this address is probably the operator's own machine: loopback, private (RFC 1918, ULA),
/// link-local or shared (RFC 6598, which cloud balancers use).
[[nodiscard]] bool is_near(asio::ip::address const& address);

}  // namespace onetap::net
