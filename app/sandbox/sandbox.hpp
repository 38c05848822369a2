#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/sandbox/certificates.hpp"
#include "app/sandbox/wechat_state.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "core/task.hpp"
#include "net/server/http_server.hpp"

namespace onetap::app {

namespace asio = boost::asio;

struct SandboxOptions {
  std::string address = "127.0.0.1";  // an IP literal
  unsigned short port = 0;            // 0: any
  WechatOptions wechat;
  ServerNames names;
  std::optional<Validity> certificate_validity;  // of the server's certificate; none: throwaway_validity()
  core::milliseconds late_answer_time{10'000};   // how long `answer_late` takes
  bool log_requests = false;
};

/// WeChat's stand-in as a service: its routes over real TLS with a certificate of its own throw-away
/// authority, and a control surface of its own:
///
///   GET  /sandbox/journal?codeDigest=HEX&limit=N   what was asked and answered (Journal::as_json)
///   POST /sandbox/reset                            as if just started
///   POST /sandbox/token/expire {"errcode"?,"again"?}
///                                                  every access token dies: 42001, or 40001 or 40014; with
///                                                  "again": true stable_token goes on giving the dead one
///   POST /sandbox/next {"testCode","times"}        so many codes, whatever they are, fare as this one
///   POST /sandbox/codes {"testCode"?,"jsCode"?,"kind"?}
///                                                  {"code","expiresIn"}: what a tap on the button yields,
///                                                  and is charged; for who logged in with jsCode
///                                                  "encryptedData" and "iv", too
///   POST /sandbox/packs {"kind"?,"packs"?,"lagSeconds"?,"average"?}
///                                                  from now on these are the packs: [{"pkgId","all","used",
///                                                  "startTime"?,"endTime"?}], none for an account that is
///                                                  exempt; figures lag so long; the average is so many
///   POST /sandbox/user-key {"jsCode","rotate"?}    {"encryptKey","iv","version"}: what getLatestUserKey
///                                                  hands to the page of who logged in with jsCode; with
///                                                  "rotate": true of a new version
///
/// Lives on the loop; must be stopped and drained before it is destroyed.
class Sandbox {
 public:
  Sandbox(asio::io_context& loop, core::Clock& clock, core::Log& log, SandboxOptions options);
  Sandbox(Sandbox const&) = delete;
  Sandbox& operator=(Sandbox const&) = delete;
  ~Sandbox();

  /// Listens, and says so in the log; the bound address ("host:port"), or a sentence.
  [[nodiscard]] core::Result<std::string, std::string> start();

  /// Accepts no more; answers that are being held back go out now.
  void stop();

  /// True when the last connection has ended, false at `deadline`.
  [[nodiscard]] core::Task<bool> drain(core::SteadyTime deadline);

  /// What clients have to trust; known before start().
  [[nodiscard]] std::string ca_pem() const { return authority_.ca_pem(); }

  /// The state machine behind it, for who shares its process and its loop.
  [[nodiscard]] WechatState& state() { return state_; }

 private:
  [[nodiscard]] net::Router make_router();
  [[nodiscard]] core::Task<net::Response> answer_as_wechat(net::Request const& request);
  [[nodiscard]] net::Response refuse(net::Refusal refusal, std::string_view allowed_methods,
                                     net::Request const& request);
  [[nodiscard]] core::Task<net::Response> show_journal(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> reset(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> expire_tokens(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> treat_next(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> issue_code(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> set_packs(net::Request const& request);
  [[nodiscard]] core::Task<net::Response> show_user_key(net::Request const& request);
  [[nodiscard]] Moment now() const { return {.steady = clock_.steady(), .wall = clock_.wall()}; }

  asio::io_context& loop_;
  core::Clock& clock_;
  core::Log& log_;
  SandboxOptions options_;
  ThrowawayAuthority authority_;
  WechatState state_;
  core::Signal stopping_;
  bool is_stopping_ = false;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace onetap::app
