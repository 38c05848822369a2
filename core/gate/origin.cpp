#include "core/gate/origin.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace onetap::core {

namespace {

constexpr std::string_view scheme_and_host = "https://servicewechat.com/";
constexpr std::string_view page_frame = "/page-frame.html";
constexpr std::string_view tourist_appid = "touristappid";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }

bool has_wechat_form(std::string_view appid) {
  constexpr std::string_view prefix = "wx";
  constexpr std::size_t hex_digits = 16;
  return appid.size() == prefix.size() + hex_digits && appid.starts_with(prefix) &&
         std::ranges::all_of(appid.substr(prefix.size()), is_lower_hex);
}

bool is_allowed(std::string_view appid, AllowedAppids const& appids) {
  if (auto const* list = std::get_if<std::vector<std::string>>(&appids)) {
    return std::ranges::find(*list, appid) != list->end();
  }
  return has_wechat_form(appid) || appid == tourist_appid || appid == std::get<AnyAppid>(appids).own;
}

/// What the address says of where the page runs; unknown when it says nothing WeChat would.
ClientEnv client_env_of(std::string_view version) {
  if (version == "devtools") return ClientEnv::devtools;
  if (version.empty() || !std::ranges::all_of(version, is_digit)) return ClientEnv::unknown;
  bool const released = std::ranges::any_of(version, [](char digit) { return digit != '0'; });
  return released ? ClientEnv::release : ClientEnv::preview;
}

std::optional<Origin> parse(std::string_view referer) {
  if (!referer.starts_with(scheme_and_host)) return std::nullopt;
  referer.remove_prefix(scheme_and_host.size());
  if (!referer.ends_with(page_frame)) return std::nullopt;
  referer.remove_suffix(page_frame.size());

  std::size_t const slash = referer.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::string_view const appid = referer.substr(0, slash);
  ClientEnv const client_env = client_env_of(referer.substr(slash + 1));
  if (appid.empty() || !std::ranges::all_of(appid, is_letter_or_digit)) return std::nullopt;
  if (client_env == ClientEnv::unknown) return std::nullopt;
  return Origin{.appid = std::string(appid), .client_env = client_env};
}

}  // namespace

std::string_view to_string(OriginRefusal refusal) {
  switch (refusal) {
    case OriginRefusal::missing: return "missing";
    case OriginRefusal::malformed: return "malformed";
    case OriginRefusal::foreign_appid: return "foreign_appid";
    case OriginRefusal::devtools_refused: return "devtools_refused";
  }
  return "";
}

bool is_served(std::string_view appid, AllowedAppids const& appids) {
  if (auto const* any = std::get_if<AnyAppid>(&appids)) return appid == any->own;
  return is_allowed(appid, appids);
}

std::string only_appid(AllowedAppids const& appids) {
  if (auto const* any = std::get_if<AnyAppid>(&appids)) return any->own;
  auto const& list = std::get<std::vector<std::string>>(appids);
  return list.size() == 1 ? list.front() : std::string();
}

Result<Origin, OriginRefusal> check_origin(std::optional<std::string_view> referer,
                                           OriginPolicy const& policy) {
  if (!referer) return OriginRefusal::missing;
  std::optional<Origin> origin = parse(*referer);
  if (!origin) return OriginRefusal::malformed;
  if (!is_allowed(origin->appid, policy.appids)) return OriginRefusal::foreign_appid;
  if (origin->client_env == ClientEnv::devtools && !policy.allow_devtools) {
    return OriginRefusal::devtools_refused;
  }
  if (auto const* any = std::get_if<AnyAppid>(&policy.appids)) origin->appid = any->own;
  return *std::move(origin);
}

}  // namespace onetap::core
