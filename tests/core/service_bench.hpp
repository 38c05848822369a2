#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "core/exchange/service.hpp"
#include "core/limits.hpp"
#include "tests/support/encrypt_user_data.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_ledger.hpp"
#include "tests/support/memory_session_store.hpp"
#include "tests/support/memory_token_store.hpp"
#include "tests/support/run_task.hpp"
#include "tests/support/scripted_wechat.hpp"

namespace onetap::tests {

using namespace std::chrono_literals;
using core::Charged;
using core::PhoneResult;
using core::State;

inline constexpr char appid[] = "wx0123456789abcdef";
inline constexpr char number[] = "13800138000";
inline constexpr char li[] = "li-li-li-li-li-li";
inline constexpr char wang[] = "wang-wang-wang-wang";
inline constexpr char nobody[] = "";

/// A ledger whose commits take as long as a test wants.
class SlowLedger final : public core::Ledger {
 public:
  SlowLedger(core::Clock& clock, MemoryLedger& behind) : clock_(clock), behind_(behind) {}

  bool hold_begin = false;
  bool hold_settle = false;

  void let_go() {
    hold_begin = false;
    hold_settle = false;
    released_.notify_all();
  }

  [[nodiscard]] core::Task<core::ledger::FindResult> find(core::Intent intent) override {
    return behind_.find(std::move(intent));
  }
  [[nodiscard]] core::Task<core::ledger::BeginResult> begin(core::Intent intent) override {
    if (hold_begin) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, core::SteadyTime::max());
    auto result = co_await behind_.begin(std::move(intent));
    co_return result;
  }
  [[nodiscard]] core::Task<std::optional<core::AttemptId>> resend(core::Resend resend) override {
    return behind_.resend(std::move(resend));
  }
  [[nodiscard]] core::Task<core::ledger::Trace> trace(core::CodeKey code_key) override {
    return behind_.trace(code_key);
  }
  [[nodiscard]] core::Task<> settle(core::Settlement settlement) override {
    if (hold_settle) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, core::SteadyTime::max());
    co_await behind_.settle(std::move(settlement));
  }
  [[nodiscard]] core::Task<core::ledger::RecordResult> record_decryption(
      core::Decryption decryption) override {
    return behind_.record_decryption(std::move(decryption));
  }
  [[nodiscard]] core::Task<bool> rescue(core::Rescue rescue) override {
    return behind_.rescue(std::move(rescue));
  }
  [[nodiscard]] bool writable() const override { return behind_.writable(); }

 private:
  core::Clock& clock_;
  MemoryLedger& behind_;
  core::Signal released_;
};

inline constexpr char key_1[] = "session-key-no-1";
inline constexpr char key_2[] = "session-key-no-2";
inline constexpr char initial_bytes[] = "sixteen-bytes-iv";

inline std::string base64(std::string_view bytes) {
  return core::crypto::to_base64({reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()});
}

inline core::Task<bool> run_keeper(core::TokenKeeper& keeper) {
  co_await keeper.run();
  co_return true;
}

inline core::Task<bool> run_control(core::CallControl& control) {
  co_await control.run();
  co_return true;
}

inline std::array<unsigned char, 32> data_key() {
  std::array<unsigned char, 32> key{};
  key.fill(7);
  return key;
}

/// Notes what it hears, as "settled quick ok none 40ms" and "answered number".
class NotedExchanges final : public core::ExchangeObserver {
 public:
  void settled(core::Kind kind, core::State state, core::Answer const& answer,
               core::SteadyTime::duration took) override {
    auto const took_ms = std::chrono::duration_cast<core::milliseconds>(took).count();
    heard.push_back("settled " + std::string(core::to_string(kind)) + " " +
                    std::string(core::to_string(state)) + " " + std::to_string(answer.errcode.value_or(-1)) +
                    " " + std::to_string(took_ms) + "ms");
  }
  void answered(core::PhoneResult const& result) override {
    bool const is_number = std::holds_alternative<core::PhoneNumber>(result.answer);
    heard.push_back(std::string(result.replayed ? "replayed " : "answered ") +
                    (is_number ? "number" : "problem"));
  }

  std::vector<std::string> heard;
};

/// The real service on time that stands still, with a token at hand unless WeChat refuses one.
struct Bench {
  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  ScriptedWeChat wechat{clock};
  MemoryLedger ledger;
  SlowLedger slow_ledger{clock, ledger};
  MemorySessionStore sessions;
  core::crypto::Keyring keyring{data_key()};
  core::AppAccount account{.appid = appid, .secret = core::AppSecret("the-app-secret")};
  core::WeChatTokens token_source{wechat, account, core::TokenEndpoint::stable};
  MemoryTokenStore token_store;
  core::TokenKeeper tokens{
      {.clock = clock, .source = token_source, .store = token_store, .keyring = keyring, .log = log},
      appid,
      3s,
      [] { return 0.0; }};
  core::ClockSkew skew;
  core::CallControl control{{.clock = clock, .wechat = wechat, .tokens = tokens, .skew = skew, .log = log},
                            appid};
  NotedExchanges noted;
  core::ConsumeService service{{.clock = clock,
                                .ledger = slow_ledger,
                                .sessions = sessions,
                                .wechat = wechat,
                                .tokens = tokens,
                                .calls = control,
                                .keyring = keyring,
                                .log = log,
                                .observer = &noted},
                               3s};
  std::optional<Started<bool>> keeper;
  std::optional<Started<bool>> prober;

  explicit Bench(std::string const& first_token_reply = R"({"access_token":"token-1","expires_in":7200})") {
    will_give(first_token_reply);
    keeper.emplace(start(loop, run_keeper(tokens)));
    prober.emplace(start(loop, run_control(control)));
    clock.settle();
  }
  Bench(Bench const&) = delete;
  Bench& operator=(Bench const&) = delete;
  ~Bench() {
    tokens.stop();
    control.stop();
    wechat.let_go();
    slow_ledger.let_go();
    clock.advance(1min);
  }

  void will_give(std::string body) { wechat.token_replies.push_back(ScriptedWeChat::says(std::move(body))); }
  void will_say(std::string body) { wechat.phone_replies.push_back(ScriptedWeChat::says(std::move(body))); }
  void will_say_errcode(int errcode) {
    will_say(R"({"errcode":)" + std::to_string(errcode) +
             R"(,"errmsg":"words rid: 6458a111-5785bc4d-452368fb"})");
  }
  void will_say_number() {
    will_say(
        R"({"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13800138000","purePhoneNumber":"13800138000",)"
        R"("countryCode":"86","watermark":{"timestamp":)" +
        std::to_string(core::unix_seconds(clock.wall())) + R"(,"appid":"wx0123456789abcdef"}}})");
  }
  void will_answer_probe(int errcode) {
    wechat.quota_replies.push_back(ScriptedWeChat::says(R"({"errcode":)" + std::to_string(errcode) + "}"));
  }
  void will_fail(core::Delivery delivery, core::TransportFailure failure) {
    wechat.phone_replies.push_back(ScriptedWeChat::fails(delivery, failure));
  }

  [[nodiscard]] core::ConsumeRequest request(std::string const& code, std::string const& caller) const {
    core::ConsumeRequest presented{.code = core::Code(code), .appid = appid, .request_id = "r-1"};
    if (!caller.empty()) presented.caller = keyring.caller_key(appid, core::IdempotencyKey(caller));
    return presented;
  }
  Started<PhoneResult> begin(core::ConsumeRequest presented) {
    auto started = start(loop, service.consume(std::move(presented)));
    clock.settle();
    return started;
  }
  Started<PhoneResult> begin(std::string const& code, std::string const& caller) {
    return begin(request(code, caller));
  }
  PhoneResult consume(core::ConsumeRequest presented) {
    auto started = begin(std::move(presented));
    REQUIRE(started.done());
    return started.value();
  }
  PhoneResult consume(std::string const& code, std::string const& caller) {
    return consume(request(code, caller));
  }

  /// WeChat gave this user this session_key (16 bytes) at a login.
  void log_in(char const* openid, std::string const& session_key) {
    core::CallerKey const user = keyring.user_key(appid, openid);
    core::SessionKey const secret(base64(session_key));
    core::LoginRow login;
    login.session.user = user;
    login.sealed_session_key =
        keyring.seal(core::crypto::SealedField::session_key, core::row_of(user), secret.reveal());
    login.session_key_digest = keyring.session_key_digest(secret);
    auto added = start(loop, sessions.add_login(std::move(login)));
    clock.settle();
    REQUIRE(added.value());
  }
  /// The user presents a code, and beside it the number as WeChat encrypted it.
  [[nodiscard]] core::ConsumeRequest request_of_user(std::string const& code, char const* openid,
                                                     std::string const& encrypted) const {
    core::ConsumeRequest presented{.code = core::Code(code), .appid = appid, .request_id = "r-1"};
    presented.user = keyring.user_key(appid, openid);
    presented.caller = presented.user;
    if (!encrypted.empty()) presented.encrypted = {.encrypted_data = encrypted, .iv = base64(initial_bytes)};
    return presented;
  }
  [[nodiscard]] std::string encrypted_number(std::string const& session_key) const {
    return encrypt_user_data(phone_user_data(number, appid, core::unix_seconds(clock.wall())), session_key,
                             initial_bytes);
  }
  [[nodiscard]] std::size_t calls() const { return wechat.codes_sent.size(); }
  [[nodiscard]] bool log_has(std::string_view text) const {
    return std::ranges::any_of(
        lines, [text](std::string const& line) { return line.find(text) != std::string::npos; });
  }
};

inline std::string number_in(PhoneResult const& result) {
  auto const* handed_out = std::get_if<core::PhoneNumber>(&result.answer);
  return handed_out != nullptr ? std::string(handed_out->phone_number.reveal()) : "none";
}

inline std::string_view problem_in(PhoneResult const& result) {
  auto const* problem = std::get_if<core::Problem>(&result.answer);
  return problem != nullptr ? core::kind_of(problem->code).name : "none";
}

inline std::optional<core::seconds> retry_after_in(PhoneResult const& result) {
  return std::get<core::Problem>(result.answer).retry_after;
}

inline Charged charged_in(PhoneResult const& result) {
  return std::get<core::Problem>(result.answer).charged;
}

}  // namespace onetap::tests
