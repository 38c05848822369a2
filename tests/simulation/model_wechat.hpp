#pragma once

#include <memory>
#include <string>

#include "core/exchange/clock_skew.hpp"
#include "tests/simulation/bugs.hpp"
#include "tests/simulation/spell.hpp"
#include "tests/simulation/witness.hpp"

namespace onetap::simulation {

inline constexpr char appid[] = "wx0123456789abcdef";

/// WeChat, and the way to it, as one run of the server knows them: what it really did with a code is in the
/// witness's stories. Each call meets a fate of the spell's.
class ModelWeChat final : public core::WeChat {
 public:
  /// What outlives a run of the server.
  struct World {
    VirtualClock& clock;
    Random& random;
    Witness& witness;
    Bugs const& bugs;
    Spell const* spell = &calm();
    int token = 1;       // the latest; its text is its number
    int refused_to = 0;  // tokens up to this one are refused
  };

  ModelWeChat(World& world, core::ClockSkew& skew) : world_(world), skew_(skew) {}

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
  [[nodiscard]] core::Task<core::WeChatReply> code_to_session(std::string, core::AppSecret, core::JsCode,
                                                              core::SteadyTime) override;
  [[nodiscard]] core::Task<core::WeChatReply> get_user_encrypt_key(core::AccessToken, core::OpenId,
                                                                   std::string, core::SteadyTime) override;

 private:
  struct Call {
    int code = 0;
    int token = 0;
    Fate fate = Fate::number;
    core::WeChatReply reply{};
  };

  [[nodiscard]] Fate draw_fate();
  [[nodiscard]] core::Task<core::WeChatReply> call(int code, std::string token,
                                                   core::milliseconds answer_time, core::SteadyTime deadline);
  void witness_await(int code, Await await);
  static void arrives(World& world, Call& call);
  [[nodiscard]] core::WeChatReply dated(core::WeChatReply reply);
  [[nodiscard]] bool is_refused(std::string const& token) const;

  World& world_;
  core::ClockSkew& skew_;
};

/// "Mon, 23 Nov 2026 03:00:00 GMT"
[[nodiscard]] std::string http_date(core::WallTime time);

}  // namespace onetap::simulation
