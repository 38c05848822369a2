#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "core/exchange/wechat.hpp"

namespace onetap::tests {

/// WeChat as a test wants it: answers in the order scripted, each held back until the test lets it go.
class ScriptedWeChat final : public core::WeChat {
 public:
  explicit ScriptedWeChat(core::Clock& clock) : clock_(clock) {}

  [[nodiscard]] static core::WeChatReply says(std::string body, int http_status = 200) {
    return {.delivery = core::Delivery::answered, .http_status = http_status, .body = std::move(body)};
  }
  [[nodiscard]] static core::WeChatReply fails(core::Delivery delivery, core::TransportFailure failure) {
    return {.delivery = delivery, .failure = failure};
  }

  /// Answers, first come first served; with none left a test has gone wrong.
  std::deque<core::WeChatReply> phone_replies;
  std::deque<core::WeChatReply> token_replies;
  std::deque<core::WeChatReply> quota_replies;
  std::deque<core::WeChatReply> login_replies;
  std::deque<core::WeChatReply> user_key_replies;

  bool line_at_hand = true;
  bool line_can_be_opened = true;
  bool hold_answers = false;  // until let_go()

  std::vector<std::string> codes_sent;
  std::vector<std::string> openids_sent;  // empty: none
  std::vector<std::string> tokens_used;
  std::vector<std::string> probed_with;  // access_tokens
  int token_requests = 0;
  core::TokenEndpoint token_endpoint = core::TokenEndpoint::stable;  // the last
  std::string secret_used;                                           // the last

  struct LoginAsked {
    std::string appid;
    std::string secret;
    std::string js_code;
    core::SteadyTime deadline;
  };
  struct UserKeysAsked {
    std::string access_token;
    std::string openid;
    std::string signature;
  };
  std::vector<LoginAsked> logins_asked;
  std::vector<UserKeysAsked> user_keys_asked;

  /// Looked at when a code is about to be sent.
  std::function<void()> before_call = [] {};

  void let_go() {
    hold_answers = false;
    released_.notify_all();
  }

  [[nodiscard]] std::unique_ptr<core::WeChatLine> take_line() override {
    if (!line_at_hand) return nullptr;
    return std::make_unique<Line>();
  }

  [[nodiscard]] core::Task<core::LineResult> open_line(core::SteadyTime /*deadline*/) override {
    if (!line_can_be_opened)
      co_return core::LineResult{.line = nullptr, .failure = core::TransportFailure::connect};
    co_return core::LineResult{.line = std::make_unique<Line>()};
  }

  [[nodiscard]] core::Task<core::WeChatReply> get_user_phone_number(
      std::unique_ptr<core::WeChatLine> /*line*/, core::AccessToken access_token, core::Code code,
      core::OpenId openid, core::milliseconds /*answer_time*/, core::SteadyTime deadline) override {
    before_call();
    openids_sent.emplace_back(openid.reveal());
    codes_sent.emplace_back(code.reveal());
    tokens_used.emplace_back(access_token.reveal());
    if (hold_answers) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, deadline);
    co_return next(phone_replies);
  }

  [[nodiscard]] core::Task<core::WeChatReply> get_access_token(core::TokenEndpoint endpoint,
                                                               std::string /*appid*/, core::AppSecret secret,
                                                               core::SteadyTime deadline) override {
    ++token_requests;
    token_endpoint = endpoint;
    secret_used = secret.reveal();
    if (hold_answers) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, deadline);
    co_return next(token_replies);
  }

  [[nodiscard]] core::Task<core::WeChatReply> get_api_quota(core::AccessToken access_token,
                                                            core::SteadyTime /*deadline*/) override {
    probed_with.emplace_back(access_token.reveal());
    co_return next(quota_replies);
  }

  [[nodiscard]] core::Task<core::WeChatReply> code_to_session(std::string appid, core::AppSecret secret,
                                                              core::JsCode js_code,
                                                              core::SteadyTime deadline) override {
    logins_asked.push_back({.appid = std::move(appid),
                            .secret = std::string(secret.reveal()),
                            .js_code = std::string(js_code.reveal()),
                            .deadline = deadline});
    if (hold_answers) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, deadline);
    co_return next(login_replies);
  }

  [[nodiscard]] core::Task<core::WeChatReply> get_user_encrypt_key(core::AccessToken access_token,
                                                                   core::OpenId openid, std::string signature,
                                                                   core::SteadyTime deadline) override {
    user_keys_asked.push_back({.access_token = std::string(access_token.reveal()),
                               .openid = std::string(openid.reveal()),
                               .signature = std::move(signature)});
    if (hold_answers) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, deadline);
    co_return next(user_key_replies);
  }

 private:
  class Line final : public core::WeChatLine {};

  static core::WeChatReply next(std::deque<core::WeChatReply>& replies) {
    if (replies.empty()) throw std::logic_error("WeChat was asked once more than the test expected");
    core::WeChatReply reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }

  core::Clock& clock_;
  core::Signal released_;
};

}  // namespace onetap::tests
