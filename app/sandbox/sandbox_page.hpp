#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/sandbox/wechat_state.hpp"
#include "core/clock.hpp"
#include "core/push/push_receiver.hpp"
#include "net/server/router.hpp"

namespace onetap::app {

/// `/sandbox` on the operator listener of `onetap serve --sandbox`: a drawn phone for everyone without
/// WeChat's developer tools. What its button yields goes through the public listener's own routes, in this
/// process.
///
///   GET  /sandbox            the page; its files lie below
///   GET  /sandbox/paths      the table of test codes (test_codes_as_json)
///   POST /sandbox/tap        {"testCode","kind"?}: {"code"}: what the page's callback brings, and is charged
///   POST /sandbox/present    {"code","caller","kind"?}: {"request","response","wechat"}: what the page sends
///                            for it, what it is answered, and which calls that made at WeChat's. `caller`
///                            stands for who taps (an Idempotency-Key)
///   POST /sandbox/push       {"kind"?}: {"request","response"}: WeChat pushes how much is left of its
///                            packs to /wechat/push, and what it is answered
class SandboxPage {
 public:
  struct Ports {
    core::Clock& clock;
    WechatState& wechat;
    net::Router pages;       // the public listener's
    core::PushSecrets push;  // what WeChat's console would have
  };

  /// `appid` is whose page it plays.
  SandboxPage(Ports ports, std::string appid);

  /// `admit` looks at everything but the page's own files, `admit_file` at these. The routes end with this.
  [[nodiscard]] std::vector<net::Route> routes(net::Admission const& admit, net::Admission const& admit_file);

 private:
  [[nodiscard]] core::Task<net::Response> tap(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> present(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> push(net::Request const& request);
  /// To the public listener's route, as if it had come by the wire.
  [[nodiscard]] core::Task<net::Response> deliver(net::Request& request);

  Ports ports_;
  std::string appid_;
};

}  // namespace onetap::app
