#pragma once

#include <map>

#include "core/token/source.hpp"
#include "tests/simulation/bugs.hpp"

namespace onetap::simulation {

/// The way to a ledger, with one of its bugs.
class BuggyLedger final : public core::Ledger {
 public:
  BuggyLedger(core::Ledger& ledger, core::Clock& clock, Bugs const& bugs)
      : ledger_(ledger), clock_(clock), bugs_(bugs) {}

  [[nodiscard]] core::Task<core::ledger::FindResult> find(core::Intent intent) override;
  [[nodiscard]] core::Task<core::ledger::BeginResult> begin(core::Intent intent) override;
  [[nodiscard]] core::Task<std::optional<core::AttemptId>> resend(core::Resend resend) override;
  [[nodiscard]] core::Task<core::ledger::Trace> trace(core::CodeKey code_key) override {
    return ledger_.trace(code_key);
  }
  [[nodiscard]] core::Task<> settle(core::Settlement settlement) override;
  [[nodiscard]] core::Task<core::ledger::RecordResult> record_decryption(
      core::Decryption decryption) override {
    return ledger_.record_decryption(std::move(decryption));
  }
  [[nodiscard]] core::Task<bool> rescue(core::Rescue rescue) override {
    return ledger_.rescue(std::move(rescue));
  }
  [[nodiscard]] bool writable() const override { return ledger_.writable(); }

 private:
  [[nodiscard]] core::Intent bent(core::Intent intent);

  core::Ledger& ledger_;
  core::Clock& clock_;
  Bugs const& bugs_;
  std::map<core::CodeKey, std::optional<core::CallerKey>> first_caller_;
  std::map<core::CodeKey, unsigned char> times_begun_;
};

/// The way to WeChat, with one of its bugs.
class BuggyWeChat final : public core::WeChat {
 public:
  BuggyWeChat(core::WeChat& wechat, Bugs const& bugs) : wechat_(wechat), bugs_(bugs) {}

  [[nodiscard]] std::unique_ptr<core::WeChatLine> take_line() override { return wechat_.take_line(); }
  [[nodiscard]] core::Task<core::LineResult> open_line(core::SteadyTime deadline) override {
    return wechat_.open_line(deadline);
  }
  [[nodiscard]] core::Task<core::WeChatReply> get_user_phone_number(std::unique_ptr<core::WeChatLine> line,
                                                                    core::AccessToken access_token,
                                                                    core::Code code, core::OpenId openid,
                                                                    core::milliseconds answer_time,
                                                                    core::SteadyTime deadline) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_access_token(core::TokenEndpoint endpoint,
                                                               std::string appid, core::AppSecret secret,
                                                               core::SteadyTime deadline) override {
    return wechat_.get_access_token(endpoint, std::move(appid), std::move(secret), deadline);
  }
  [[nodiscard]] core::Task<core::WeChatReply> get_api_quota(core::AccessToken access_token,
                                                            core::SteadyTime deadline) override {
    return wechat_.get_api_quota(std::move(access_token), deadline);
  }
  [[nodiscard]] core::Task<core::WeChatReply> code_to_session(std::string appid, core::AppSecret secret,
                                                              core::JsCode js_code,
                                                              core::SteadyTime deadline) override {
    return wechat_.code_to_session(std::move(appid), std::move(secret), std::move(js_code), deadline);
  }
  [[nodiscard]] core::Task<core::WeChatReply> get_user_encrypt_key(core::AccessToken access_token,
                                                                   core::OpenId openid, std::string signature,
                                                                   core::SteadyTime deadline) override {
    return wechat_.get_user_encrypt_key(std::move(access_token), std::move(openid), std::move(signature),
                                        deadline);
  }

 private:
  [[nodiscard]] core::WeChatReply bent(core::WeChatReply reply);

  core::WeChat& wechat_;
  Bugs const& bugs_;
  std::string last_number_;  // an answer's body
};

/// The way to WeChat's tokens, with its bug.
class BuggyTokens final : public core::TokenSource {
 public:
  BuggyTokens(core::TokenSource& source, Bugs const& bugs) : source_(source), bugs_(bugs) {}

  [[nodiscard]] core::Task<core::TokenAnswer> fetch(core::SteadyTime deadline) override;

 private:
  core::TokenSource& source_;
  Bugs const& bugs_;
};

}  // namespace onetap::simulation
