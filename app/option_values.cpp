#include "app/option_values.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <cctype>
#include <charconv>
#include <limits>
#include <utility>

#include "core/crypto/push_cipher.hpp"
#include "core/text.hpp"

namespace onetap::app {
namespace {

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::optional<std::int64_t> const value = read_integer(text);
  if (!value || *value < 0 || *value > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

// The text on both sides of the last colon that is not inside an IPv6 address.
std::optional<std::pair<std::string_view, std::string_view>> split_host_and_port(std::string_view text) {
  std::size_t const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  bool const bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  bool const is_ipv6 = host.find(':') != std::string_view::npos;
  if (host.empty() || bracketed != is_ipv6) return std::nullopt;
  return std::pair{host, text.substr(colon + 1)};
}

bool is_host_name(std::string_view text) {
  auto const allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
  };
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, allowed);
}

/// Host and port of a URL.
struct Server {
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 0;
};

std::optional<Server> read_server(std::string_view text) {
  auto const parts = split_host_and_port(text);
  if (!parts) return std::nullopt;
  std::optional<std::uint16_t> const port = read_port(parts->second);
  if (!port || *port == 0) return std::nullopt;
  bool const is_ipv6 = parts->first.find(':') != std::string_view::npos;
  boost::system::error_code error;
  if (is_ipv6) boost::asio::ip::make_address_v6(std::string(parts->first), error);
  if (error || (!is_ipv6 && !is_host_name(parts->first))) return std::nullopt;
  return Server{.host = std::string(parts->first), .port = *port};
}

// None: a "%" without two hex digits, or a control character, which Proxy-Authorization can't carry (RFC
// 7617).
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    unsigned byte = static_cast<unsigned char>(text.front());
    std::size_t size = 1;
    if (text.front() == '%') {
      constexpr std::size_t escape_size = 3;
      std::string_view const digits = text.substr(1, 2);
      auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (error != std::errc{} || end != digits.data() + 2) return std::nullopt;
      size = escape_size;
    }
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    decoded += static_cast<char>(byte);
    text.remove_prefix(size);
  }
  return decoded;
}

// "https://…@host" of "https://user:password@host": a password goes into no line.
std::string without_user_info(std::string_view text) {
  constexpr std::string_view mark = "://";
  std::size_t const scheme_end = text.find(mark);
  std::size_t const at = text.rfind('@');
  if (scheme_end == std::string_view::npos || at == std::string_view::npos || at < scheme_end)
    return std::string(text);
  return std::string(text.substr(0, scheme_end + mark.size())) + "…" + std::string(text.substr(at));
}

}  // namespace

std::string quote(std::string_view whole_text) {
  constexpr std::size_t shown_max = 60;
  std::string const text = without_user_info(whole_text);
  std::string shown = "\"";
  for (char const c : text.substr(0, shown_max)) {
    bool const control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    shown += control ? '?' : c;
  }
  shown += text.size() > shown_max ? "…\"" : "\"";
  return shown;
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  std::int64_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Problem read_integer_within(std::string_view text, std::int64_t least, std::int64_t most,
                            std::string_view unit, std::int64_t& value) {
  std::optional<std::int64_t> const number = read_integer(text);
  if (!number || *number < least || *number > most) {
    return quote(text) + " is not a whole number of " + std::string(unit) + " from " + std::to_string(least) +
           " to " + std::to_string(most);
  }
  value = *number;
  return std::nullopt;
}

Problem read_switch(std::string_view text, std::string_view yes, std::string_view no, bool& value) {
  if (text != yes && text != no) {
    return quote(text) + " is neither; write " + std::string(yes) + " or " + std::string(no);
  }
  value = text == yes;
  return std::nullopt;
}

Problem read_path(std::string_view text, std::string& path) {
  if (text.empty() || text.find('\0') != std::string_view::npos) return "is not a path; name a file";
  path = text;
  return std::nullopt;
}

Problem read_listen_address(std::string_view text, ListenAddress& value) {
  std::string wrong =
      quote(text) + " is not an address and port; write e.g. 127.0.0.1:8443, 0.0.0.0:8443 or [::]:8443";
  auto const parts = split_host_and_port(text);
  if (!parts) return wrong;
  std::optional<std::uint16_t> const port = read_port(parts->second);
  boost::system::error_code error;
  std::string const host(parts->first == "localhost" ? "127.0.0.1" : parts->first);
  auto const address = boost::asio::ip::make_address(host, error);
  if (error || !port) return wrong;
  value = ListenAddress{.address = address.to_string(), .port = *port};
  return std::nullopt;
}

Problem read_https_url(std::string_view text, HttpsUrl& value) {
  std::string wrong = quote(text) + " is not an https URL; write e.g. https://api.weixin.qq.com";
  constexpr std::string_view scheme = "https://";
  if (!text.starts_with(scheme) || !core::is_visible_ascii(text)) return wrong;
  if (text.find_first_of("?#@\\\"") != std::string_view::npos) {
    return quote(text) + " has more than host, port and path; write e.g. https://api.weixin.qq.com";
  }
  std::string_view const rest = text.substr(scheme.size());
  std::size_t const authority_size = std::min(rest.find('/'), rest.size());
  std::string authority(rest.substr(0, authority_size));
  std::string_view path = rest.substr(authority_size);
  while (path.ends_with('/')) path.remove_suffix(1);

  std::size_t const after_address = authority.starts_with('[') ? authority.find(']') : 0;
  if (after_address == std::string::npos) return wrong;
  if (authority.find(':', after_address) == std::string::npos) authority += ":443";
  std::optional<Server> server = read_server(authority);
  if (!server) return wrong;
  value = HttpsUrl{.host = std::move(server->host), .port = server->port, .base_path = std::string(path)};
  return std::nullopt;
}

Problem read_proxy_url(std::string_view text, net::ProxyAddress& value) {
  Problem wrong =
      "is not the URL of an HTTP proxy; write e.g. http://proxy.example.com:3128, or "
      "http://user:password@proxy.example.com:3128 with all but letters and digits as %40";
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme) || !core::is_visible_ascii(text)) return wrong;
  text.remove_prefix(scheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find_first_of("/?#\\\"") != std::string_view::npos) return wrong;
  std::size_t const at = text.rfind('@');
  std::string credentials;
  if (at != std::string_view::npos) {
    std::string_view const user_info = text.substr(0, at);
    std::size_t const colon = user_info.find(':');
    if (colon == std::string_view::npos) return wrong;
    std::optional<std::string> const user = percent_decoded(user_info.substr(0, colon));
    std::optional<std::string> const password = percent_decoded(user_info.substr(colon + 1));
    if (!user || !password || user->empty() || user->find(':') != std::string::npos) return wrong;
    credentials = *user + ":" + *password;
    text.remove_prefix(at + 1);
  }
  std::optional<Server> server = read_server(text);
  if (!server) return wrong;
  value = {.host = std::move(server->host),
           .port = server->port,
           .credentials = net::ProxyCredentials(std::move(credentials))};
  return std::nullopt;
}

Problem read_alert_url(std::string_view text, net::AlertTarget& value) {
  std::string wrong =
      "is not the URL of a receiver; write e.g. https://alerts.example.com/onetap (http:// on loopback only)";
  bool const is_tls = text.starts_with("https://");
  if (!core::is_visible_ascii(text) || (!is_tls && !text.starts_with("http://"))) return wrong;
  text.remove_prefix(text.find("://") + 3);
  std::string_view const rest = text.substr(std::min(text.find_first_of("/?#"), text.size()));
  std::string authority(text.substr(0, text.size() - rest.size()));
  if (rest.find_first_of("#\\\"") != std::string_view::npos) return wrong;
  std::size_t const after_address = authority.starts_with('[') ? authority.find(']') : 0;
  if (after_address == std::string::npos) return wrong;
  if (authority.find(':', after_address) == std::string::npos) authority += is_tls ? ":443" : ":80";
  std::optional<Server> server = read_server(authority);
  if (!server) return wrong;
  bool const is_local =
      server->host == "localhost" || ListenAddress{.address = server->host, .port = 0}.is_loopback();
  if (!is_tls && !is_local) return wrong;
  value.tls = is_tls;
  value.host = std::move(server->host);
  value.port = server->port;
  value.path = core::AlertPath(rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest));
  return std::nullopt;
}

Problem read_price(std::string_view text, std::int64_t& micro_yuan) {
  std::string wrong = quote(text) + " is not a price in yuan; write e.g. 0.03, at most 1000 and six decimals";
  constexpr std::int64_t micro_yuan_in_yuan = 1'000'000;
  constexpr std::size_t decimals_max = 6;
  std::size_t const point = std::min(text.find('.'), text.size());
  std::string_view const whole = text.substr(0, point);
  std::string decimals(text.substr(std::min(point + 1, text.size())));
  bool const ends_at_point = point + 1 == text.size();
  auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (whole.empty() || whole.size() > 4 || ends_at_point || decimals.size() > decimals_max ||
      !std::ranges::all_of(whole, is_digit) || !std::ranges::all_of(decimals, is_digit)) {
    return wrong;
  }
  decimals.resize(decimals_max, '0');
  std::int64_t const value = *read_integer(whole) * micro_yuan_in_yuan + *read_integer(decimals);
  if (value > 1000 * micro_yuan_in_yuan) return wrong;
  micro_yuan = value;
  return std::nullopt;
}

Problem read_rate(std::string_view text, core::RatePolicy& policy) {
  constexpr std::int64_t requests_max = 1'000'000;
  constexpr std::int64_t seconds_max = 86'400;
  policy = {};
  if (text == "0") return std::nullopt;
  std::size_t const slash = std::min(text.find('/'), text.size());
  auto const requests = read_integer(text.substr(0, slash));
  auto const period_s = read_integer(text.substr(std::min(slash + 1, text.size())));
  bool const usable = requests && period_s && *requests >= 1 && *requests <= requests_max && *period_s >= 1 &&
                      *period_s <= seconds_max;
  if (!usable) return quote(text) + " is not requests/seconds; write e.g. 60/60, or 0 for no limit";
  policy = {.requests = static_cast<std::uint32_t>(*requests), .period = std::chrono::seconds(*period_s)};
  return std::nullopt;
}

Problem read_duration(std::string_view text, std::chrono::seconds& value) {
  constexpr std::array units{std::pair{'s', 1}, std::pair{'m', 60}, std::pair{'h', 3600},
                             std::pair{'d', 86'400}};
  constexpr std::int64_t seconds_min = 60;
  constexpr std::int64_t seconds_max = 30L * 86'400;
  Problem wrong = quote(text) + " is not a time from 60s to 30d; write e.g. 30m or 2h";
  if (text.empty()) return wrong;
  auto const* const unit = std::ranges::find(units, text.back(), &std::pair<char, int>::first);
  auto const count = read_integer(text.substr(0, text.size() - 1));
  if (unit == units.end() || !count || *count < 1 || *count > seconds_max) return wrong;
  std::int64_t const in_seconds = *count * unit->second;
  if (in_seconds < seconds_min || in_seconds > seconds_max) return wrong;
  value = std::chrono::seconds(in_seconds);
  return std::nullopt;
}

Problem read_spu_id(std::string_view text, std::int64_t& spu_id) {
  auto const read = read_integer(text);
  if (!read || *read < 1) return quote(text) + " is not a spuId; it looks like 10000077";
  spu_id = *read;
  return std::nullopt;
}

Problem read_quota_low(std::string_view text, core::QuotaLow& low) {
  constexpr std::int64_t share_max = 100;
  constexpr std::int64_t days_max = 365;
  constexpr double percent = 100;
  Problem wrong = quote(text) + " is not a share and days; write e.g. 10%,3d, or one of the two";
  core::QuotaLow read{.share = 0, .days = 0};
  std::string_view rest = text;
  do {
    std::string_view const part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (part.empty()) return wrong;
    auto const count = read_integer(part.substr(0, part.size() - 1));
    bool const is_share = part.back() == '%' && count && *count >= 1 && *count < share_max;
    bool const is_days = part.back() == 'd' && count && *count >= 1 && *count <= days_max;
    if ((!is_share && !is_days) || (is_share ? read.share : read.days) > 0) return wrong;
    if (is_share) read.share = static_cast<double>(*count) / percent;
    if (is_days) read.days = static_cast<double>(*count);
  } while (!rest.empty() || text.ends_with(','));
  low = read;
  return std::nullopt;
}

Problem read_appid(std::string_view text, std::string& appid) {
  auto const allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  };
  constexpr std::size_t appid_bytes_max = 64;
  if (text.empty() || text.size() > appid_bytes_max || !std::ranges::all_of(text, allowed))
    return quote(text) + R"( is not an appid; it looks like wx0123456789abcdef)";
  appid = text;
  return std::nullopt;
}

Problem read_app_secret(std::string_view text, core::AppSecret& secret) {
  constexpr std::size_t secret_bytes_max = 128;
  if (text.empty() || text.size() > secret_bytes_max || !core::is_visible_ascii(text))
    return "is not an AppSecret; it is one line of 32 letters and digits, without quotes or blanks";
  secret = core::AppSecret(std::string(text));
  return std::nullopt;
}

Problem read_push_token(std::string_view text, core::PushToken& token) {
  constexpr std::size_t bytes_min = 3;
  constexpr std::size_t bytes_max = 32;
  auto const allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  if (text.size() < bytes_min || text.size() > bytes_max || !std::ranges::all_of(text, allowed))
    return "is not 3 to 32 letters and digits, the Token of WeChat's console";
  token = core::PushToken(std::string(text));
  return std::nullopt;
}

Problem read_push_aes_key(std::string_view text, core::PushAesKey& key) {
  if (!core::crypto::is_push_aes_key(text))
    return "is not 43 letters and digits, the EncodingAESKey of WeChat's console";
  key = core::PushAesKey(std::string(text));
  return std::nullopt;
}

}  // namespace onetap::app
