#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/billing/usage.hpp"
#include "tests/support/scripted_wechat.hpp"

namespace onetap::tests {

/// Says the same figures again and again, until told others.
class ScriptedCharges final : public core::ChargeApi {
 public:
  struct Asked {
    std::string token;
    std::int64_t spu_id = 0;
    std::size_t offset = 0;
  };
  std::deque<core::WeChatReply> replies;  // then `usual`
  core::WeChatReply usual = ScriptedWeChat::says(figures(1000, 0));
  core::WeChatReply average = ScriptedWeChat::says(R"({"errcode":10122000})");
  std::vector<Asked> asked;
  int averages_asked = 0;
  bool holds = false;  // answers, until let_go(), by this clock
  core::Clock* clock = nullptr;

  void let_go() {
    holds = false;
    released_.notify_all();
  }

  static std::string figures(int all, int used) {
    return R"({"errcode":0,"total":1,"detailList":[{"pkgId":"","status":1,"all":")" + std::to_string(all) +
           R"(","used":")" + std::to_string(used) + R"("}]})";
  }

  [[nodiscard]] core::Task<core::WeChatReply> get_charge_usage(core::AccessToken access_token,
                                                               std::int64_t spu_id, std::size_t offset,
                                                               core::SteadyTime deadline) override {
    asked.push_back({std::string(access_token.reveal()), spu_id, offset});
    if (holds) [[maybe_unused]]
      bool const told = co_await clock->wait(released_, deadline);
    core::WeChatReply reply = usual;
    if (!replies.empty()) {
      reply = std::move(replies.front());
      replies.pop_front();
    }
    co_return reply;
  }
  [[nodiscard]] core::Task<core::WeChatReply> get_recent_average(core::AccessToken /*access_token*/,
                                                                 std::int64_t /*spu_id*/,
                                                                 core::SteadyTime /*deadline*/) override {
    ++averages_asked;
    co_return average;
  }

 private:
  core::Signal released_;
};

class MemoryUsage final : public core::UsageStore {
 public:
  bool accepts = true;
  std::vector<core::UsageSnapshot> kept;

  std::vector<core::PushedUsage> pushed;

  core::UsageKept becomes;

  [[nodiscard]] core::Task<std::optional<core::UsageKept>> record_usage(
      core::UsageSnapshot snapshot) override {
    if (!accepts) co_return std::nullopt;
    kept.push_back(std::move(snapshot));
    co_return becomes;
  }
  [[nodiscard]] core::Task<bool> keep_pushed(core::PushedUsage word) override {
    if (accepts) pushed.push_back(std::move(word));
    co_return accepts;
  }
};

}  // namespace onetap::tests
