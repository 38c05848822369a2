#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/crypto/digest.hpp"
#include "core/gate/gatekeeper.hpp"
#include "core/gate/login.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_session_store.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_wechat.hpp"

namespace onetap::tests {

/// Everything of the gate that is not under test, on time that stands still.
struct GateBench {
  static constexpr std::string_view appid = "wx0123456789abcdef";
  static constexpr core::SessionLife life{.idle = std::chrono::hours(2), .longest = std::chrono::hours(24)};

  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  ScriptedWeChat wechat{clock};
  MemorySessionStore store;
  SlowSessionStore disk{clock, store};  // what is under test stands before it
  core::crypto::Keyring keyring{std::array<unsigned char, 32>{1, 2, 3}};
  core::AppAccount account{.appid = std::string(appid), .secret = core::AppSecret("a-secret")};
  core::WeChatTokens token_source{wechat, account, core::TokenEndpoint::stable};
  MemoryTokenStore token_store;
  core::TokenKeeper tokens{
      {.clock = clock, .source = token_source, .store = token_store, .keyring = keyring, .log = log},
      std::string(appid),
      std::chrono::seconds(3),
      [] { return 0.0; }};
  core::SessionBook sessions{life};
  core::UserKeys user_keys{{.clock = clock,
                            .wechat = wechat,
                            .tokens = [this](std::string_view) -> core::TokenKeeper& { return tokens; },
                            .store = disk,
                            .keyring = keyring,
                            .log = log}};
  core::LoginService logins{
      {.clock = clock, .wechat = wechat, .store = disk, .keyring = keyring, .log = log}, account, sessions};

  GateBench() = default;
  GateBench(GateBench const&) = delete;
  GateBench& operator=(GateBench const&) = delete;
  ~GateBench() {
    tokens.stop();
    wechat.let_go();
    disk.let_go();
    clock.advance(std::chrono::minutes(1));
  }

  /// For what asks WeChat with an access_token: from now on there is one.
  void hold_token(std::string const& token = "token-1") {
    wechat.token_replies.push_back(
        ScriptedWeChat::says(R"({"access_token":")" + token + R"(","expires_in":7200})"));
    if (!keeper_) keeper_.emplace(start(loop, run_keeper(tokens)));
    clock.settle();
  }

  /// A session that a backend's login opened.
  core::OpenedSession open_session(std::string const& openid,
                                   std::string const& session_key = "o0q0otL8aEzpcZL/FT9WsQ==") {
    auto opened = finished(
        logins.open_session({.openid = core::OpenId(openid), .session_key = core::SessionKey(session_key)}));
    if (!opened) throw std::runtime_error("the store refused the session");
    return *std::move(opened);
  }

  [[nodiscard]] core::CallerKey user(std::string_view openid) const {
    return keyring.user_key(appid, openid);
  }

  /// Of a coroutine that ends without time passing.
  template <class Value>
  Value finished(core::Task<Value> task) {
    auto started = start(loop, std::move(task));
    clock.settle();
    return std::move(started.value());
  }

  [[nodiscard]] bool log_has(std::string_view text) const {
    return std::ranges::any_of(lines, [&](std::string const& line) { return line.find(text) != line.npos; });
  }

 private:
  static core::Task<bool> run_keeper(core::TokenKeeper& keeper) {
    co_await keeper.run();
    co_return true;
  }

  std::optional<Started<bool>> keeper_;
};

}  // namespace onetap::tests
