#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/exchange/ledger.hpp"
#include "core/result.hpp"

namespace onetap::core {

/// The sandbox without APPID: any appid of WeChat's form (`wx` and 16 lower-case hex digits), and
/// `touristappid`, which the developer tools use without an account; and the sandbox's own.
struct AnyAppid {
  std::string own;
};

/// Default: none is allowed.
using AllowedAppids = std::variant<std::vector<std::string>, AnyAppid>;

struct OriginPolicy {
  AllowedAppids appids;
  bool allow_devtools = true;  // ONETAP_ALLOW_DEVTOOLS
};

/// The mini program a request says it comes from. Forgeable: a hint, not a proof.
struct Origin {
  std::string appid;                          // one that is served here; of any in the sandbox: its own
  ClientEnv client_env = ClientEnv::unknown;  // release, preview or devtools
};

enum class OriginRefusal {
  missing,           // no Referer
  malformed,         // not a page frame's address
  foreign_appid,     // well-formed, of a mini program that is not ours
  devtools_refused,  // ours, in the developer tools, which are not allowed
};

[[nodiscard]] std::string_view to_string(OriginRefusal refusal);

/// The mini programs that codes and sessions can be of. The sandbox without APPID takes whoever calls for its
/// own.
[[nodiscard]] bool is_served(std::string_view appid, AllowedAppids const& appids);
/// Where only one is served; else empty.
[[nodiscard]] std::string only_appid(AllowedAppids const& appids);

/// The rule of level `origin` (contract, "Who the caller is"; facts/wechat-api.md §6.1): the Referer is
/// exactly `https://servicewechat.com/{appid}/{devtools or digits}/page-frame.html`.
[[nodiscard]] Result<Origin, OriginRefusal> check_origin(std::optional<std::string_view> referer,
                                                         OriginPolicy const& policy);

}  // namespace onetap::core
