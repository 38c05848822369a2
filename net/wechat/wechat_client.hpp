#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/billing/usage.hpp"
#include "core/exchange/wechat.hpp"
#include "net/tls_context.hpp"
#include "net/wechat/connection_pool.hpp"
#include "net/wechat/dialer.hpp"
#include "net/wechat/https_client.hpp"
#include "net/wechat/route.hpp"

namespace onetap::net {

/// What WeChat is asked.
enum class WeChatCall {
  get_user_phone_number,
  get_access_token,
  get_api_quota,
  code_to_session,
  get_user_encrypt_key,
  get_charge_usage,
  get_recent_average,
};
inline constexpr std::array wechat_calls{WeChatCall::get_user_phone_number, WeChatCall::get_access_token,
                                         WeChatCall::get_api_quota,         WeChatCall::code_to_session,
                                         WeChatCall::get_user_encrypt_key,  WeChatCall::get_charge_usage,
                                         WeChatCall::get_recent_average};
[[nodiscard]] std::string_view to_string(WeChatCall call);

/// Of the connections to WeChat; `opened` and `failed` since the start.
struct LineStatistics {
  std::size_t idle = 0;
  std::uint64_t opened = 0;
  std::uint64_t failed = 0;
};

/// core's ports on real connections: warm where one is idle, new where not, one request each at a time.
/// Another address is tried only while no byte of the request was handed to a connection.
class WeChatClient final : public core::WeChat, public core::ChargeApi {
 public:
  WeChatClient(asio::any_io_executor executor, core::Clock& clock, TlsContext tls, WeChatRoute route);
  WeChatClient(asio::any_io_executor executor, core::Clock& clock, TlsContext tls, WeChatRoute route,
               Lookup lookup);

  /// `observer` hears of every reply, before whoever asked.
  void on_reply(std::function<void(core::WeChatReply const&)> observer) { observer_ = std::move(observer); }

  /// Hears how each call ended, and how long it took with what connecting it needed.
  using OnCall = std::function<void(WeChatCall, core::WeChatReply const&, core::SteadyTime::duration)>;
  void on_call(OnCall observer) { on_call_ = std::move(observer); }

  [[nodiscard]] LineStatistics lines() const;

  /// For the proxy, from the next connection on; nothing where there is none.
  void use(ProxyCredentials credentials) { dialer_.use(std::move(credentials)); }

  /// Keeps the addresses fresh, until stop().
  [[nodiscard]] core::Task<> run();
  void stop();

  [[nodiscard]] std::unique_ptr<core::WeChatLine> take_line() override;
  [[nodiscard]] core::Task<core::LineResult> open_line(core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_user_phone_number(std::unique_ptr<core::WeChatLine> line,
                                                                    core::AccessToken access_token,
                                                                    core::Code code, core::OpenId openid,
                                                                    core::milliseconds answer_time,
                                                                    core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_access_token(core::TokenEndpoint endpoint,
                                                               std::string appid, core::AppSecret secret,
                                                               core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_api_quota(core::AccessToken access_token,
                                                            core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> code_to_session(std::string appid, core::AppSecret secret,
                                                              core::JsCode js_code,
                                                              core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_user_encrypt_key(core::AccessToken access_token,
                                                                   core::OpenId openid, std::string signature,
                                                                   core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_charge_usage(core::AccessToken access_token,
                                                               std::int64_t spu_id, std::size_t offset,
                                                               core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_recent_average(core::AccessToken access_token,
                                                                 std::int64_t spu_id,
                                                                 core::SteadyTime deadline) override;

 private:
  class Line;

  using Opened = core::Result<std::unique_ptr<Line>, DialFailure>;

  [[nodiscard]] core::Task<Opened> open(core::SteadyTime deadline);
  /// A request; what it was made of need not outlive the call.
  struct Outgoing {
    WeChatCall call;
    std::string_view method;  // static text
    std::string target;       // behind the address's base path
    std::string body;
  };
  [[nodiscard]] core::Task<core::WeChatReply> ask(std::unique_ptr<core::WeChatLine> line, Outgoing outgoing,
                                                  core::milliseconds answer_time, core::SteadyTime deadline);
  [[nodiscard]] core::Task<core::WeChatReply> send(std::unique_ptr<core::WeChatLine> line, Outgoing outgoing,
                                                   core::milliseconds answer_time, core::SteadyTime deadline);
  /// On any line, with all the time there is.
  [[nodiscard]] core::Task<core::WeChatReply> send(Outgoing outgoing, core::SteadyTime deadline);

  core::Clock& clock_;
  Dialer dialer_;
  std::function<void(core::WeChatReply const&)> observer_ = [](core::WeChatReply const&) {};
  OnCall on_call_ = [](WeChatCall, core::WeChatReply const&, core::SteadyTime::duration) {};
  std::uint64_t opened_ = 0;
  std::uint64_t failed_ = 0;
  std::shared_ptr<ConnectionPool> pool_;  // shared with the lines that are out
};

}  // namespace onetap::net
