#include "app/options.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "app/option_values.hpp"
#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::app {
namespace {

constexpr std::size_t help_columns = 100;
constexpr std::size_t help_indent = 34;

Problem apply_appid(std::string_view text, Settings& settings) { return read_appid(text, settings.appid); }

Problem apply_secret(std::string_view text, Settings& settings) {
  return read_app_secret(text, settings.secret);
}

Problem apply_data_key(std::string_view text, Settings& settings) {
  constexpr std::size_t key_bytes = 32;
  std::optional<std::string> bytes = core::crypto::from_base64(text);
  if (!bytes || bytes->size() != key_bytes) {
    return "is not base64 of 32 bytes; make one with: openssl rand -base64 32";
  }
  settings.data_key = DataKey(std::move(*bytes));
  return std::nullopt;
}

Problem apply_admin_token(std::string_view text, Settings& settings) {
  constexpr std::size_t bytes_min = 16;
  constexpr std::size_t bytes_max = 512;
  if (text.size() < bytes_min || text.size() > bytes_max || !core::is_visible_ascii(text)) {
    return "is not 16 to 512 visible ASCII characters; make one with: openssl rand -hex 32";
  }
  settings.admin_token = core::OperatorToken(std::string(text));
  return std::nullopt;
}

Problem apply_alert_secret(std::string_view text, Settings& settings) {
  constexpr std::size_t bytes_min = 16;
  constexpr std::size_t bytes_max = 512;
  if (text.size() < bytes_min || text.size() > bytes_max || !core::is_visible_ascii(text)) {
    return "is not 16 to 512 visible ASCII characters; make one with: openssl rand -hex 32";
  }
  settings.alert_secret = core::AlertSecret(std::string(text));
  return std::nullopt;
}

Problem apply_alert_format(std::string_view text, Settings& settings) {
  if (text != "json" && text != "wecom") return quote(text) + " is not a format; write json or wecom";
  settings.alert_format = text == "wecom" ? net::AlertFormat::wecom : net::AlertFormat::json;
  return std::nullopt;
}

Problem apply_verify(std::string_view text, Settings& settings) {
  constexpr std::array levels{std::pair{std::string_view("none"), core::VerifyLevel::none},
                              std::pair{std::string_view("origin"), core::VerifyLevel::origin},
                              std::pair{std::string_view("session"), core::VerifyLevel::session},
                              std::pair{std::string_view("signature"), core::VerifyLevel::signature}};
  for (auto const& [name, level] : levels) {
    if (text != name) continue;
    settings.verify = level;
    return std::nullopt;
  }
  return quote(text) + " is not a level; write signature, session, origin or none";
}

Problem apply_service_token(std::string_view text, Settings& settings) {
  constexpr std::size_t bytes_min = 32;
  constexpr std::size_t bytes_max = 512;
  constexpr std::size_t tokens_max = 2;
  settings.service_tokens.clear();
  while (true) {
    std::string_view const token = text.substr(0, text.find(','));
    bool const usable =
        token.size() >= bytes_min && token.size() <= bytes_max && core::is_visible_ascii(token);
    if (!usable || settings.service_tokens.size() == tokens_max) {
      return "is not one token of 32 to 512 visible ASCII characters, or two with a comma between while "
             "rotating; make one with: openssl rand -hex 32";
    }
    settings.service_tokens.emplace_back(std::string(token));
    if (token.size() == text.size()) return std::nullopt;
    text.remove_prefix(token.size() + 1);
  }
}

Problem apply_token_mode(std::string_view text, Settings& settings) {
  constexpr std::string_view file_mode = "file:";
  settings.token_file_path.clear();
  if (text.starts_with(file_mode) && text.size() > file_mode.size()) {
    settings.token_file_path = text.substr(file_mode.size());
  } else if (text == "token") {
    settings.token_endpoint = core::TokenEndpoint::plain;
  } else if (text == "stable") {
    settings.token_endpoint = core::TokenEndpoint::stable;
  } else {
    return quote(text) + " is not a mode; write stable, token or file:PATH";
  }
  return std::nullopt;
}

Problem apply_log_level(std::string_view text, Settings& settings) {
  std::optional<core::LogLevel> const level = core::log_level_from(text);
  if (!level) return quote(text) + " is not a level; write error, warn, info or debug";
  settings.log_level = *level;
  return std::nullopt;
}

Problem apply_replay_window(std::string_view text, Settings& settings) {
  std::int64_t seconds = 0;
  Problem problem = read_integer_within(text, 1, 3600, "seconds", seconds);
  settings.replay_window = std::chrono::seconds(seconds);
  return problem;
}

Problem apply_usage_poll(std::string_view text, Settings& settings) {
  std::int64_t seconds = 0;
  Problem problem = read_integer_within(text, 60, 86'400, "seconds", seconds);
  settings.usage_poll = std::chrono::seconds(seconds);
  return problem;
}

Problem apply_events_days(std::string_view text, Settings& settings) {
  std::int64_t days = 0;
  Problem problem = read_integer_within(text, core::limits::events_keep_min.count(), 3650, "days", days);
  settings.events_keep = std::chrono::days(days);
  return problem;
}

Problem apply_wechat_timeout(std::string_view text, Settings& settings) {
  std::int64_t milliseconds = 0;
  Problem problem = read_integer_within(text, 10, 30'000, "milliseconds", milliseconds);
  settings.wechat_timeout = std::chrono::milliseconds(milliseconds);
  return problem;
}

Problem apply_max_connections(std::string_view text, Settings& settings) {
  std::int64_t connections = 0;
  Problem problem = read_integer_within(text, 1, 1'000'000, "connections", connections);
  settings.connections_max = static_cast<std::size_t>(connections);
  return problem;
}

Problem apply_connections_per_address(std::string_view text, Settings& settings) {
  std::int64_t connections = 0;
  Problem problem = read_integer_within(text, 0, 1'000'000, "connections", connections);
  settings.connections_per_address_max = static_cast<std::size_t>(connections);
  return problem;
}

Problem apply_trusted_proxies(std::string_view text, Settings& settings) {
  settings.trusted_proxies.clear();
  while (true) {
    std::string_view range = text.substr(0, text.find(','));
    std::size_t const size = range.size();
    while (range.starts_with(' ')) range.remove_prefix(1);
    while (range.ends_with(' ')) range.remove_suffix(1);
    auto const parsed = net::AddressRange::parse(range);
    if (!parsed) {
      return quote(range) + " is not an address or a range of them; write e.g. 10.0.0.0/8,fd00::/8,192.0.2.7";
    }
    settings.trusted_proxies.push_back(*parsed);
    if (size == text.size()) return std::nullopt;
    text.remove_prefix(size + 1);
  }
}

Problem apply_public_url(std::string_view text, Settings& settings) {
  HttpsUrl url;
  if (read_https_url(text, url)) {
    return quote(text) + " is not an https URL of host, port and path; write e.g. " +
           "https://api.example.com/onetap";
  }
  settings.public_path = url.base_path;
  return std::nullopt;
}

Problem apply_fallback_urls(std::string_view text, Settings& settings) {
  constexpr std::size_t urls_max = core::limits::wechat_fallback_urls_max;
  settings.wechat_fallback_urls.clear();
  std::string problems;
  while (true) {
    std::string_view url = text.substr(0, text.find(','));
    std::size_t const size = url.size();
    while (url.starts_with(' ')) url.remove_prefix(1);
    while (url.ends_with(' ')) url.remove_suffix(1);
    Problem const problem = read_https_url(url, settings.wechat_fallback_urls.emplace_back());
    if (problem) problems += (problems.empty() ? "" : "; ") + *problem;
    if (size == text.size()) break;
    text.remove_prefix(size + 1);
  }
  if (!problems.empty()) return problems;
  std::size_t const count = settings.wechat_fallback_urls.size();
  if (count > urls_max)
    return "are " + std::to_string(count) + " URLs; name at most " + std::to_string(urls_max);
  return std::nullopt;
}

constexpr std::string_view mini_program_group = "Mini program";
constexpr std::string_view public_group = "Public listener";
constexpr std::string_view callers_group = "Callers";
constexpr std::string_view wechat_group = "WeChat";
constexpr std::string_view ledger_group = "Ledger";
constexpr std::string_view quota_group = "Quota";
constexpr std::string_view operator_group = "Operators";

constexpr auto option_table = std::to_array<Option>({
    {.group = mini_program_group,
     .variable = "APPID",
     .value_name = "ID",
     .sandbox_default_text = sandbox_appid,
     .help = "the mini program's appid; required unless --sandbox",
     .apply = apply_appid},
    {.group = mini_program_group,
     .variable = "SECRET",
     .value_name = "SECRET",
     .sandbox_default_text = "sandbox-secret",
     .secret = true,
     .help = "the mini program's AppSecret; required unless --sandbox",
     .apply = apply_secret},

    {.group = mini_program_group,
     .variable = "ONETAP_APPS",
     .value_name = "FILE",
     .help = "several mini programs instead of APPID and SECRET: a JSON file, {\"apps\": [{\"appid\", "
             "\"secretFile\", \"priceQuick\"?, \"priceRealtime\"?, \"tokenFile\"?, \"spuQuick\"?, "
             "\"spuRealtime\"?, \"pushTokenFile\"?, \"pushAesKeyFile\"?}]}",
     .apply =
         [](std::string_view text, Settings& to) {
           to.apps_path = text;
           return Problem();
         }},
    {.group = public_group,
     .variable = "ONETAP_LISTEN",
     .value_name = "ADDRESS:PORT",
     .default_text = "0.0.0.0:8443",
     .help = "where the mini program's requests arrive; port 0 takes any free one, and the first log line "
             "names it",
     .apply = [](std::string_view text, Settings& to) { return read_listen_address(text, to.listen); }},
    {.group = public_group,
     .variable = "ONETAP_TLS",
     .value_name = "on|off",
     .default_text = "on",
     .help = "off speaks plain HTTP: on a loopback address, or behind ONETAP_TRUSTED_PROXIES",
     .apply = [](std::string_view text, Settings& to) { return read_switch(text, "on", "off", to.tls); }},
    {.group = public_group,
     .variable = "ONETAP_TLS_CERT",
     .value_name = "FILE",
     .help = "the certificate chain (PEM); required unless ONETAP_TLS=off or --sandbox, which makes a "
             "self-signed pair",
     .apply = [](std::string_view text, Settings& to) { return read_path(text, to.tls_certificate_path); }},
    {.group = public_group,
     .variable = "ONETAP_TLS_KEY",
     .value_name = "FILE",
     .help = "the certificate's private key (PEM)",
     .apply = [](std::string_view text, Settings& to) { return read_path(text, to.tls_key_path); }},
    {.group = public_group,
     .variable = "ONETAP_MAX_CONNECTIONS",
     .value_name = "COUNT",
     .default_text = "10000",
     .help = "connections held at the same time",
     .apply = apply_max_connections},
    {.group = public_group,
     .variable = "ONETAP_MAX_CONNECTIONS_PER_IP",
     .value_name = "COUNT",
     .default_text = "0",
     .help = "of these, by one address (IPv6: by one /64) that is no trusted proxy; 0 is off",
     .apply = apply_connections_per_address},
    {.group = public_group,
     .variable = "ONETAP_TRUSTED_PROXIES",
     .value_name = "RANGES",
     .help =
         "addresses and CIDR ranges, comma-separated, whose X-Forwarded-For is believed: your own proxies",
     .apply = apply_trusted_proxies},
    {.group = public_group,
     .variable = "ONETAP_PROXY_PROTOCOL",
     .value_name = "off|v2",
     .default_text = "off",
     .help = "v2: trusted proxies begin each connection with the PROXY protocol's version 2, and nobody else "
             "may connect",
     .apply = [](std::string_view text,
                 Settings& to) { return read_switch(text, "v2", "off", to.proxy_protocol); }},
    {.group = public_group,
     .variable = "ONETAP_PUBLIC_URL",
     .value_name = "URL",
     .help = "what the page calls, where a path stands before ours (https://api.example.com/onetap): paths "
             "are served with it and without, and signatures are over what the page sent",
     .apply = apply_public_url},

    {.group = callers_group,
     .variable = "ONETAP_VERIFY",
     .value_name = "LEVEL",
     .default_text = "signature",
     .sandbox_default_text = "origin",
     .help = "what a caller must show, each level with those before it: none (off loopback only with "
             "--sandbox), origin (a Referer of the mini program), session (of a login), signature (of each "
             "request)",
     .apply = apply_verify},
    {.group = callers_group,
     .variable = "ONETAP_ALLOW_DEVTOOLS",
     .value_name = "true|false",
     .default_text = "true",
     .help = "whether origin accepts WeChat's developer tools",
     .apply = [](std::string_view text,
                 Settings& to) { return read_switch(text, "true", "false", to.allow_devtools); }},
    {.group = callers_group,
     .variable = "ONETAP_SERVICE_TOKEN",
     .value_name = "TOKEN",
     .secret = true,
     .help = "what your own backend presents as Authorization: Bearer, instead of all the above; two with a "
             "comma between while rotating",
     .apply = apply_service_token},
    {.group = callers_group,
     .variable = "ONETAP_SESSION_IDLE",
     .value_name = "TIME",
     .default_text = "2h",
     .help = "how long a session lives after its last use (60s to 30d)",
     .apply = [](std::string_view text, Settings& to) { return read_duration(text, to.session_idle); }},
    {.group = callers_group,
     .variable = "ONETAP_SESSION_MAX",
     .value_name = "TIME",
     .default_text = "24h",
     .help = "how long a session lives at most (60s to 30d)",
     .apply = [](std::string_view text, Settings& to) { return read_duration(text, to.session_max); }},
    {.group = callers_group,
     .variable = "ONETAP_RATE_IP",
     .value_name = "N/SECONDS",
     .default_text = "600/60",
     .help = "requests of one address (IPv6: of one /64) that has not proved who it is; 0 is off",
     .apply = [](std::string_view text, Settings& to) { return read_rate(text, to.rate_address); }},
    {.group = callers_group,
     .variable = "ONETAP_RATE_USER",
     .value_name = "N/SECONDS",
     .default_text = "60/60",
     .help = "requests of one user, codes and all others apart; 0 is off",
     .apply = [](std::string_view text, Settings& to) { return read_rate(text, to.rate_user); }},
    {.group = callers_group,
     .variable = "ONETAP_RATE_GLOBAL",
     .value_name = "N/SECONDS",
     .default_text = "0",
     .help = "requests of everybody together, backends aside; 0 is off",
     .apply = [](std::string_view text, Settings& to) { return read_rate(text, to.rate_everybody); }},

    {.group = wechat_group,
     .variable = "ONETAP_WECHAT_URL",
     .value_name = "URL",
     .default_text = "https://api.weixin.qq.com",
     .help = "where WeChat's interface is; not together with --sandbox",
     .apply = [](std::string_view text, Settings& to) { return read_https_url(text, to.wechat_url); }},
    {.group = wechat_group,
     .variable = "ONETAP_WECHAT_FALLBACK_URLS",
     .value_name = "URLS",
     .help = "where it is, too: up to 8, comma-separated, tried in this order while nothing was sent (WeChat "
             "has https://api2.weixin.qq.com); not together with --sandbox",
     .apply = apply_fallback_urls},
    {.group = wechat_group,
     .variable = "ONETAP_WECHAT_PROXY",
     .value_name = "URL",
     .secret = true,
     .help = "http://[user:password@]host:port of an HTTP proxy that connects to WeChat by CONNECT, for a "
             "fixed address in its white list; not together with --sandbox",
     .apply = [](std::string_view text,
                 Settings& to) { return read_proxy_url(text, to.wechat_proxy.emplace()); }},
    {.group = wechat_group,
     .variable = "ONETAP_WECHAT_CA",
     .value_name = "FILE",
     .help = "certificates (PEM) to trust for it instead of the system's store; not together with --sandbox",
     .apply = [](std::string_view text, Settings& to) { return read_path(text, to.wechat_ca_path); }},
    {.group = wechat_group,
     .variable = "ONETAP_WECHAT_TIMEOUT_MS",
     .value_name = "MS",
     .default_text = "3000",
     .help = "how long WeChat may take, from the first byte written to the last read (10 to 30000); the "
             "whole request gets 1500 ms more",
     .apply = apply_wechat_timeout},
    {.group = wechat_group,
     .variable = "ONETAP_TOKEN_MODE",
     .value_name = "MODE",
     .default_text = "stable",
     .help = "how the access token is obtained: stable (WeChat's stable_token), token (the older "
             "endpoint, which ends the token before), or file:PATH (another service writes it there: the "
             "token alone, or JSON with access_token and expires_at)",
     .apply = apply_token_mode},

    {.group = wechat_group,
     .variable = "ONETAP_SEND_OPENID",
     .value_name = "true|false",
     .default_text = "false",
     .help = "whether WeChat is told with each code whose it is, where that is known",
     .apply = [](std::string_view text,
                 Settings& to) { return read_switch(text, "true", "false", to.send_openid); }},
    {.group = wechat_group,
     .variable = "ONETAP_PUSH_TOKEN",
     .value_name = "TOKEN",
     .secret = true,
     .help = "the Token of WeChat's message push, which tells at /wechat/push that quota runs out; 3 to 32 "
             "letters and digits",
     .apply = [](std::string_view text, Settings& to) { return read_push_token(text, to.push.token); }},
    {.group = wechat_group,
     .variable = "ONETAP_PUSH_AES_KEY",
     .value_name = "KEY",
     .secret = true,
     .help = "its EncodingAESKey, 43 letters and digits: pushes must then be encrypted",
     .apply = [](std::string_view text, Settings& to) { return read_push_aes_key(text, to.push.aes_key); }},
    {.group = ledger_group,
     .variable = "ONETAP_DB",
     .value_name = "FILE",
     .default_text = "onetap.db",
     .sandbox_default_text = "onetap-sandbox.db",
     .help = "the ledger, an SQLite file; made when missing",
     .apply = [](std::string_view text, Settings& to) { return read_path(text, to.database_path); }},
    {.group = ledger_group,
     .variable = "ONETAP_DATA_KEY",
     .value_name = "KEY",
     .secret = true,
     .help = "base64 of 32 bytes, from which the ledger's keys are derived; without it the file "
             "<database>.key, made together with a new ledger",
     .apply = apply_data_key},
    {.group = ledger_group,
     .variable = "ONETAP_REPLAY_WINDOW",
     .value_name = "SECONDS",
     .default_text = "600",
     .help = "how long the same caller gets the stored answer again (1 to 3600); then the number is erased",
     .apply = apply_replay_window},
    {.group = ledger_group,
     .variable = "ONETAP_EVENTS_DAYS",
     .value_name = "DAYS",
     .default_text = "30",
     .help =
         "how long what pages told of their buttons is kept event by event (8 to 3650); the counts of each "
         "day stay",
     .apply = apply_events_days},
    {.group = ledger_group,
     .variable = "ONETAP_PRICE_QUICK",
     .value_name = "YUAN",
     .default_text = "0.03",
     .help = "a unit's price for getPhoneNumber",
     .apply = [](std::string_view text,
                 Settings& to) { return read_price(text, to.price_quick_micro_yuan); }},
    {.group = ledger_group,
     .variable = "ONETAP_PRICE_REALTIME",
     .value_name = "YUAN",
     .default_text = "0.04",
     .help = "a unit's price for getRealtimePhoneNumber",
     .apply = [](std::string_view text,
                 Settings& to) { return read_price(text, to.price_realtime_micro_yuan); }},

    {.group = quota_group,
     .variable = "ONETAP_USAGE_POLL",
     .value_name = "SECONDS",
     .default_text = "300",
     .help = "how often WeChat is asked what it has counted (60 to 86400); five times as often while little "
             "is left",
     .apply = apply_usage_poll},
    {.group = quota_group,
     .variable = "ONETAP_QUOTA_LOW",
     .value_name = "SHARE,DAYS",
     .default_text = "10%,3d",
     .help = "pages are told low below this share of the units in force, or when they last for fewer days",
     .apply = [](std::string_view text, Settings& to) { return read_quota_low(text, to.quota_low); }},
    {.group = quota_group,
     .variable = "ONETAP_TAPS_PER_USER_DAY",
     .value_name = "CODES",
     .default_text = "0",
     .help =
         "a user who has brought so many codes today (China's day) is told before the next tap that there is "
         "no quota; a code that comes is never refused; 0 is off",
     .apply =
         [](std::string_view text, Settings& to) {
           return read_integer_within(text, 0, 1'000'000, "codes", to.daily_limits.taps_per_user);
         }},
    {.group = quota_group,
     .variable = "ONETAP_BUDGET_DAY",
     .value_name = "CODES",
     .default_text = "0",
     .help = "the same for everybody, once so many codes of one mini program have come today; 0 is off",
     .apply =
         [](std::string_view text, Settings& to) {
           return read_integer_within(text, 0, 1'000'000'000, "codes", to.daily_limits.budget);
         }},
    {.group = quota_group,
     .variable = "ONETAP_SPU_QUICK",
     .value_name = "ID",
     .default_text = "10000077",
     .help = "what WeChat calls getPhoneNumber's resource packs",
     .apply = [](std::string_view text, Settings& to) { return read_spu_id(text, to.spu_ids.quick); }},
    {.group = quota_group,
     .variable = "ONETAP_SPU_REALTIME",
     .value_name = "ID",
     .default_text = "10000086",
     .help = "what WeChat calls getRealtimePhoneNumber's resource packs",
     .apply = [](std::string_view text, Settings& to) { return read_spu_id(text, to.spu_ids.realtime); }},

    {.group = operator_group,
     .variable = "ONETAP_ADMIN_LISTEN",
     .value_name = "ADDRESS:PORT",
     .default_text = "127.0.0.1:8444",
     .help = "the operators' listener: health, readiness; off loopback it needs TLS and ONETAP_ADMIN_TOKEN",
     .apply = [](std::string_view text, Settings& to) { return read_listen_address(text, to.admin_listen); }},
    {.group = operator_group,
     .variable = "ONETAP_ADMIN_TOKEN",
     .value_name = "TOKEN",
     .secret = true,
     .help = "what operators present as Authorization: Bearer; 16 characters or more",
     .apply = apply_admin_token},
    {.group = operator_group,
     .variable = "ONETAP_ALERT_URL",
     .value_name = "URL",
     .secret = true,
     .help =
         "where alarms are posted to: an https URL (http on loopback), e.g. of a WeCom group robot, whose "
         "key is in it",
     .apply = [](std::string_view text, Settings& to) { return read_alert_url(text, to.alert.emplace()); }},
    {.group = operator_group,
     .variable = "ONETAP_ALERT_SECRET",
     .value_name = "SECRET",
     .secret = true,
     .help = "what they are signed with (HMAC-SHA256, in Onetap-Signature); 16 characters or more",
     .apply = apply_alert_secret},
    {.group = operator_group,
     .variable = "ONETAP_ALERT_FORMAT",
     .value_name = "FORMAT",
     .default_text = "json",
     .help = "json, or wecom: as a WeCom group robot reads them",
     .apply = apply_alert_format},
    {.group = operator_group,
     .variable = "ONETAP_LOG_LEVEL",
     .value_name = "LEVEL",
     .default_text = "info",
     .help = "error, warn, info or debug; JSON lines on standard error",
     .apply = apply_log_level},
});

// Appends `text` word by word from column help_indent on; `column` is where the line stands.
void append_wrapped(std::string& out, std::string_view text, std::size_t column) {
  while (!text.empty()) {
    std::size_t const word_size = std::min(text.find(' '), text.size());
    bool const begins = column <= help_indent;
    if (column < help_indent) out.append(help_indent - column, ' ');
    column = std::max(column, help_indent);
    if (!begins && column + 1 + word_size > help_columns) {
      out.append("\n").append(help_indent, ' ');
      column = help_indent;
    } else if (!begins) {
      out += ' ';
      ++column;
    }
    out += text.substr(0, word_size);
    column += word_size;
    text.remove_prefix(std::min(word_size + 1, text.size()));
  }
  out += '\n';
}

void append_entry(std::string& out, std::string const& heading, std::string_view text) {
  std::string const line = "  " + heading;
  out += line;
  if (line.size() >= help_indent) out += '\n';
  append_wrapped(out, text, line.size() >= help_indent ? 0 : line.size());
}

void append_option(std::string& out, Option const& option) {
  std::string text(option.help);
  text += " [";
  if (option.secret) text.append(option.variable).append(" or ").append(option.file_variable());
  if (!option.secret) text += option.variable;
  if (!option.default_text.empty()) text.append(", default ").append(option.default_text);
  if (!option.sandbox_default_text.empty() && !option.secret) {
    text.append(", with --sandbox ").append(option.sandbox_default_text);
  }
  text += ']';
  std::string const heading =
      option.secret ? option.file_flag() + " FILE" : option.flag() + " " + std::string(option.value_name);
  append_entry(out, heading, text);
}

}  // namespace

std::string Option::flag() const { return flag_of(variable); }
std::string Option::file_variable() const { return std::string(variable) + "_FILE"; }
std::string Option::file_flag() const { return flag() + "-file"; }

std::span<Option const> options() { return option_table; }

std::string flag_of(std::string_view variable) {
  constexpr std::string_view prefix = "ONETAP_";
  if (variable.starts_with(prefix)) variable.remove_prefix(prefix.size());
  std::string flag = "--";
  for (char const c : variable) {
    flag += c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return flag;
}

std::string serve_help() {
  std::string out =
      "onetap serve – exchanges the codes of a WeChat mini program for phone numbers, each code once\n"
      "\n"
      "usage: onetap serve --sandbox            try it: our own WeChat inside, no money\n"
      "       onetap serve [OPTION…]\n"
      "\n"
      "Each option is also the variable in [brackets]; a flag beats a variable, an empty variable is\n"
      "unset. Secrets have no flag (flags show in ps), only a variable or a file.\n"
      "\n";
  append_entry(out, "--sandbox", "our own WeChat in the same process, test codes, a ledger of its own");
  append_entry(out, "-h, --help", "this text");
  std::string_view group;
  for (Option const& option : options()) {
    if (option.group != group) out.append("\n").append(option.group).append("\n");
    group = option.group;
    append_option(out, option);
  }
  out += "\nExit status: 0 done, 1 cannot run, 2 configuration, 3 drain missed, 4 disk error.\n";
  return out;
}

}  // namespace onetap::app
