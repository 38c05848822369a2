#pragma once

#include <optional>
#include <string_view>

#include "core/push/push_receiver.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// WeChat's message push, at /wechat/push where one mini program is served, and at /wechat/push/{appid}.
class PushApi {
 public:
  /// `receiver` outlives it.
  explicit PushApi(core::PushReceiver& receiver) : receiver_(receiver) {}

  /// Refuses as not found what is of no mini program that expects a push.
  [[nodiscard]] std::optional<Response> admit(Request const& request) const;

  /// GET: WeChat's check of the URL, answered by its echostr.
  [[nodiscard]] core::Task<Response> check_url(Request const& request);

  /// POST: a message, in XML or JSON whatever its Content-Type says. WeChat wants `success` within 5 s.
  [[nodiscard]] core::Task<Response> receive(Request const& request);

 private:
  [[nodiscard]] std::string_view appid_of(Request const& request) const;

  core::PushReceiver& receiver_;
};

}  // namespace onetap::net
