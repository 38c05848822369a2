#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/billing/daily_caps.hpp"
#include "core/billing/usage_watch.hpp"
#include "core/exchange/wechat.hpp"
#include "core/gate/rate_limiter.hpp"
#include "core/gate/verify_level.hpp"
#include "core/log.hpp"
#include "core/push/push_receiver.hpp"
#include "core/result.hpp"
#include "core/secret.hpp"
#include "net/alert/alert_target.hpp"
#include "net/server/client_address.hpp"
#include "net/wechat/route.hpp"

namespace onetap::app {

/// The root of the keys (contract, ONETAP_DATA_KEY): 32 bytes, no longer base64.
using DataKey = core::Confidential<struct DataKeyTag>;

using core::LogLevel;
using core::VerifyLevel;

/// Where to listen: an IP literal (IPv6 without brackets) and a port, 0 for any.
struct ListenAddress {
  std::string address;
  std::uint16_t port = 0;

  [[nodiscard]] bool is_loopback() const;
  bool operator==(ListenAddress const&) const = default;
};

/// An https URL, taken apart; `base_path` is empty or begins with "/" and does not end with one.
struct HttpsUrl {
  std::string host;  // IPv6 without brackets
  std::uint16_t port = 443;
  std::string base_path;

  bool operator==(HttpsUrl const&) const = default;
};

/// What the sandbox answers to when no APPID is given; no real appid has letters beyond "f" in its tail.
inline constexpr std::string_view sandbox_appid = "wxsandbox000000000";

/// One mini program, and what differs for it.
struct MiniProgramSettings {
  std::string appid;
  core::AppSecret secret;
  std::int64_t price_quick_micro_yuan = 0;
  std::int64_t price_realtime_micro_yuan = 0;
  std::string token_file_path;   // empty: WeChat is asked
  std::string secret_file_path;  // of ONETAP_APPS; empty without
  core::SpuIds spu_ids;
  core::PushSecrets push;
  std::string push_token_file_path;    // of ONETAP_APPS; empty without
  std::string push_aes_key_file_path;  // likewise
};

/// Everything an operator may choose (contract, "Configuration"), read and checked. The defaults are in
/// the table of app/options.cpp, and nowhere else.
struct Settings {
  bool sandbox = false;  // our own WeChat in this process; no money

  std::vector<MiniProgramSettings> mini_programs;  // one or more; of APPID and SECRET, or of ONETAP_APPS

  std::string appid;  // APPID and SECRET; empty with ONETAP_APPS
  core::AppSecret secret;
  bool any_appid = false;  // sandbox without APPID: the Referer may name any appid

  ListenAddress listen;
  bool tls = true;
  std::string tls_certificate_path;  // both empty in the sandbox: a self-signed pair is made
  std::string tls_key_path;
  std::size_t connections_max = 0;
  std::size_t connections_per_address_max = 0;     // 0: no such limit
  std::vector<net::AddressRange> trusted_proxies;  // whose X-Forwarded-For is believed
  bool proxy_protocol = false;                     // they say version 2 of it first
  std::string public_path;                         // of ONETAP_PUBLIC_URL: empty, or "/onetap"

  ListenAddress admin_listen;
  std::optional<core::OperatorToken> admin_token;
  bool admin_tls = false;  // off loopback, with the public listener's certificate

  std::string database_path;
  std::optional<DataKey> data_key;  // none: the file `<database>.key`
  std::chrono::seconds replay_window{0};
  std::chrono::days events_keep{0};

  HttpsUrl wechat_url;                         // not used in the sandbox
  std::vector<HttpsUrl> wechat_fallback_urls;  // tried after it, in this order
  std::optional<net::ProxyAddress> wechat_proxy;
  std::string wechat_ca_path;  // PEM; empty: the system's store (in the sandbox, its own)
  std::chrono::milliseconds wechat_timeout{0};
  core::TokenEndpoint token_endpoint = core::TokenEndpoint::stable;
  std::string token_file_path;  // empty: WeChat is asked

  core::VerifyLevel verify = core::VerifyLevel::signature;
  bool allow_devtools = true;
  bool send_openid = false;
  std::vector<core::ServiceToken> service_tokens;
  std::chrono::seconds session_idle{0};
  std::chrono::seconds session_max{0};
  core::RatePolicy rate_address;
  core::RatePolicy rate_user;
  core::RatePolicy rate_everybody;

  core::PushSecrets push;  // ONETAP_PUSH_TOKEN, ONETAP_PUSH_AES_KEY

  std::string apps_path;  // ONETAP_APPS; empty: one mini program

  std::int64_t price_quick_micro_yuan = 0;
  std::int64_t price_realtime_micro_yuan = 0;

  core::SpuIds spu_ids;
  std::chrono::seconds usage_poll{0};
  core::QuotaLow quota_low;
  core::DailyLimits daily_limits;

  std::optional<net::AlertTarget> alert;  // with the two below in it; none: nobody is told
  core::AlertSecret alert_secret;
  net::AlertFormat alert_format = net::AlertFormat::json;

  core::LogLevel log_level = core::LogLevel::info;
};

struct ParsedSettings {
  Settings settings;
  std::vector<std::string> warnings;  // one sentence each, for the log; nothing secret
};

using Environment = std::map<std::string, std::string, std::less<>>;

/// A file's whole text, or why it can't be read ("No such file or directory").
using FileReader = std::function<core::Result<std::string, std::string>(std::string const& path)>;

/// Reads what follows `onetap serve` and the environment; a flag beats a variable, an empty variable is
/// unset. Otherwise every problem at once, one line each: the name, what is wrong, what would be right.
/// Secrets are never repeated in a line.
[[nodiscard]] core::Result<ParsedSettings, std::vector<std::string>> parse_settings(
    std::span<std::string const> arguments, Environment const& environment, FileReader const& read_file);

/// Whether --help or -h is among what follows `onetap serve`; then serve_help() is the answer.
[[nodiscard]] bool asks_for_help(std::span<std::string const> arguments);

/// The process's own, from its null-terminated `environ`.
[[nodiscard]] Environment environment_from(char const* const* entries);

/// The FileReader of real life; refuses directories and more than 1 MiB.
[[nodiscard]] core::Result<std::string, std::string> read_text_file(std::string const& path);

}  // namespace onetap::app
