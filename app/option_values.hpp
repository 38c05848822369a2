#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/settings.hpp"

namespace onetap::app {

/// "what is wrong; what would be right", without the option's name; none: nothing is.
using Problem = std::optional<std::string>;

/// The value as a problem may repeat it: short, and nothing that could upset a terminal.
[[nodiscard]] std::string quote(std::string_view text);

[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view text);

// Readers of one value's text: it is written where there is no problem.

[[nodiscard]] Problem read_integer_within(std::string_view text, std::int64_t least, std::int64_t most,
                                          std::string_view unit, std::int64_t& value);
[[nodiscard]] Problem read_switch(std::string_view text, std::string_view yes, std::string_view no,
                                  bool& value);
[[nodiscard]] Problem read_path(std::string_view text, std::string& path);
[[nodiscard]] Problem read_listen_address(std::string_view text, ListenAddress& value);
[[nodiscard]] Problem read_https_url(std::string_view text, HttpsUrl& value);
/// "https://host[:port]/path?query"; "http://" on loopback only. Never repeated in a problem.
[[nodiscard]] Problem read_alert_url(std::string_view text, net::AlertTarget& value);
/// "http://[user:password@]host:port", both words percent-encoded.
[[nodiscard]] Problem read_proxy_url(std::string_view text, net::ProxyAddress& value);
/// Yuan with at most six decimals, exactly.
/// APPID, SECRET.
[[nodiscard]] Problem read_appid(std::string_view text, std::string& appid);
[[nodiscard]] Problem read_app_secret(std::string_view text, core::AppSecret& secret);
/// As WeChat's console takes and shows them.
[[nodiscard]] Problem read_push_token(std::string_view text, core::PushToken& token);
[[nodiscard]] Problem read_push_aes_key(std::string_view text, core::PushAesKey& key);

[[nodiscard]] Problem read_price(std::string_view text, std::int64_t& micro_yuan);
/// "600/60": requests and seconds; "0" is off.
[[nodiscard]] Problem read_rate(std::string_view text, core::RatePolicy& policy);
/// "10000077": digits.
[[nodiscard]] Problem read_spu_id(std::string_view text, std::int64_t& spu_id);
/// "10%,3d", or one of the two.
[[nodiscard]] Problem read_quota_low(std::string_view text, core::QuotaLow& low);
/// "90s", "30m", "2h", "1d".
[[nodiscard]] Problem read_duration(std::string_view text, std::chrono::seconds& value);

}  // namespace onetap::app
