#include "net/server/client_address.hpp"

#include <algorithm>
#include <charconv>

namespace onetap::net {
namespace {

constexpr unsigned ipv4_bits = 32;
constexpr unsigned ipv6_bits = 128;
constexpr unsigned mapped_prefix_bits = 96;  // of ::ffff:0:0/96

using Bytes = std::array<unsigned char, 16>;

Bytes bytes_of(asio::ip::address const& address) {
  Bytes bytes{};
  if (address.is_v4()) {
    std::ranges::copy(address.to_v4().to_bytes(), bytes.begin());
  } else {
    bytes = address.to_v6().to_bytes();
  }
  return bytes;
}

bool share_prefix(Bytes const& left, Bytes const& right, unsigned bits) {
  unsigned const whole_bytes = bits / 8;
  if (!std::equal(left.begin(), left.begin() + whole_bytes, right.begin())) return false;
  unsigned const rest = bits % 8;
  if (rest == 0) return true;
  unsigned const differing = static_cast<unsigned>(left[whole_bytes]) ^ right[whole_bytes];
  return differing >> (8 - rest) == 0;
}

std::optional<unsigned> read_number(std::string_view text, unsigned most) {
  unsigned value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

// As it stands, zones ("%eth0") excepted: they mean nothing on another machine.
std::optional<asio::ip::address> read_address(std::string_view text) {
  constexpr std::size_t longest = 45;  // INET6_ADDRSTRLEN without its end
  if (text.empty() || text.size() > longest || text.find('%') != std::string_view::npos) return std::nullopt;
  boost::system::error_code error;
  auto address = asio::ip::make_address(text, error);
  if (error) return std::nullopt;
  return address;
}

bool is_port(std::string_view text) {
  constexpr unsigned port_max = 65535;
  return read_number(text, port_max).has_value();
}

// Proxies write "1.2.3.4", "2001:db8::1", "[2001:db8::1]", and some a port behind them.
std::optional<asio::ip::address> read_hop(std::string_view text) {
  if (text.starts_with('[')) {
    auto const end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view const behind = text.substr(end + 1);
    if (!behind.empty() && (behind.front() != ':' || !is_port(behind.substr(1)))) return std::nullopt;
    auto const address = read_address(text.substr(1, end - 1));
    return address && address->is_v6() ? address : std::nullopt;
  }
  auto const colon = text.find(':');
  bool const has_port = colon != std::string_view::npos && colon == text.rfind(':');
  if (!has_port) return read_address(text);
  return is_port(text.substr(colon + 1)) ? read_address(text.substr(0, colon)) : std::nullopt;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  auto const first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The hops of all fields, from the right. Empty ones are none (RFC 9110 §5.6.1).
class Hops {
 public:
  explicit Hops(std::span<std::string_view const> fields) : fields_(fields) {}

  std::optional<std::string_view> next() {
    while (true) {
      if (done_) {
        if (fields_.empty()) return std::nullopt;
        rest_ = fields_.back();
        fields_ = fields_.first(fields_.size() - 1);
        done_ = false;
      }
      auto const comma = rest_.rfind(',');
      done_ = comma == std::string_view::npos;
      std::string_view const hop = trim(done_ ? rest_ : rest_.substr(comma + 1));
      if (!done_) rest_ = rest_.substr(0, comma);
      if (!hop.empty()) return hop;
    }
  }

 private:
  std::span<std::string_view const> fields_;
  std::string_view rest_;
  bool done_ = true;
};

}  // namespace

asio::ip::address plain_address(asio::ip::address const& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  auto const slash = text.find('/');
  auto const given = read_address(text.substr(0, slash));
  if (!given) return std::nullopt;
  unsigned const bits_max = given->is_v4() ? ipv4_bits : ipv6_bits;
  std::optional<unsigned> bits = bits_max;
  if (slash != std::string_view::npos) bits = read_number(text.substr(slash + 1), bits_max);
  if (!bits) return std::nullopt;

  AddressRange range;
  bool const is_mapped = given->is_v6() && given->to_v6().is_v4_mapped() && *bits >= mapped_prefix_bits;
  range.is_ipv4_ = given->is_v4() || is_mapped;
  range.prefix_bits_ = is_mapped ? *bits - mapped_prefix_bits : *bits;
  range.network_ = bytes_of(is_mapped ? plain_address(*given) : *given);
  return range;
}

bool AddressRange::contains(asio::ip::address const& address) const {
  auto const plain = plain_address(address);
  return plain.is_v4() == is_ipv4_ && share_prefix(network_, bytes_of(plain), prefix_bits_);
}

bool is_within(std::span<AddressRange const> ranges, asio::ip::address const& address) {
  return std::ranges::any_of(ranges, [&](AddressRange const& range) { return range.contains(address); });
}

asio::ip::address client_address(asio::ip::address const& peer,
                                 std::span<std::string_view const> forwarded_for,
                                 std::span<AddressRange const> trusted) {
  auto last_good = plain_address(peer);
  Hops hops(forwarded_for);
  while (is_within(trusted, last_good)) {
    auto const hop = hops.next();
    if (!hop) break;
    auto const address = read_hop(*hop);
    if (!address) break;
    last_good = plain_address(*address);
  }
  return last_good;
}

std::string limit_key(asio::ip::address const& address) {
  constexpr std::size_t ipv4_key_bytes = 4;
  constexpr std::size_t ipv6_key_bytes = 8;
  auto const plain = plain_address(address);
  Bytes const bytes = bytes_of(plain);
  std::size_t const size = plain.is_v4() ? ipv4_key_bytes : ipv6_key_bytes;
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)};
}

bool is_near(asio::ip::address const& address) {
  auto const plain = plain_address(address);
  if (plain.is_loopback()) return true;
  constexpr auto near =
      std::to_array<std::string_view>({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
                                       "100.64.0.0/10", "fc00::/7", "fe80::/10"});
  return std::ranges::any_of(
      near, [&](std::string_view range) { return AddressRange::parse(range)->contains(plain); });
}

}  // namespace onetap::net
