#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/doctor/finding.hpp"
#include "core/clock.hpp"
#include "core/exchange/answer.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/wechat.hpp"
#include "net/certificate.hpp"

namespace onetap::app {

/// How a connection to one of WeChat's addresses came out.
struct LineSeen {
  std::string host;       // "api.weixin.qq.com", "localhost:9443"
  bool is_first = true;   // ONETAP_WECHAT_URL; else one of the fallbacks
  bool by_proxy = false;  // ONETAP_WECHAT_PROXY
  core::TransportFailure failure = core::TransportFailure::none;
  std::string failure_detail;
  std::string tls_version;  // "TLSv1.3"
  std::optional<net::CertificateFacts> certificate;
};

[[nodiscard]] Finding judge_line(LineSeen const& line, core::WallTime now);

/// WeChat's clock minus ours; none: WeChat has said nothing.
[[nodiscard]] Finding judge_clock(std::optional<core::seconds> offset);

/// What stable_token says of appid, secret and this server's address.
[[nodiscard]] Findings judge_token_of_wechat(core::TokenAnswer const& answer);

/// What getuserphonenumber says of a code that does not exist: whether it would look at one.
[[nodiscard]] Finding judge_permission(core::Answer const& answer);

/// openapi/quota/get about getuserphonenumber.
[[nodiscard]] Finding judge_call_quota(core::WeChatReply const& reply);

/// charge/usage/get of `kind`'s component.
[[nodiscard]] Finding judge_usage(core::WeChatReply const& reply, core::Kind kind, std::int64_t spu_id);

}  // namespace onetap::app
