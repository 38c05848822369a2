#include "core/push/push_receiver.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/push.hpp"

using namespace onetap;
using namespace onetap::tests;
using core::PushOutcome;

namespace {

constexpr std::string_view appid = "wxba5fad812f8e6fb9";
constexpr std::string_view token = "AAAAA";
constexpr std::int64_t created_s = 1'693'624'245;

enum class Mode { plain, encrypted };

core::PushSecrets secrets_of(Mode mode, std::string_view with_token = token) {
  return {.token = core::PushToken(std::string(with_token)),
          .aes_key = core::PushAesKey(std::string(mode == Mode::encrypted ? official_aes_key : ""))};
}

struct Bench {
  explicit Bench(Mode mode) { receiver.use(appid, secrets_of(mode)); }

  PushOutcome receive(PushOnWire const& push) { return receiver.receive(appid, push.proof, push.body); }

  [[nodiscard]] auto count_lines(std::string_view text) const {
    return std::ranges::count_if(lines,
                                 [&](std::string const& line) { return line.find(text) != line.npos; });
  }

  asio::io_context loop;
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::debug, [this] { return clock.wall(); }};
  std::vector<std::pair<std::string, core::PushEvent>> heard;
  core::PushReceiver receiver{
      {.clock = clock, .log = log, .listener = [this](std::string_view app, core::PushEvent const& event) {
         heard.emplace_back(app, event);
       }}};
};

PushOnWire plain(std::string body) { return plain_push(std::move(body), token); }
PushOnWire encrypted(std::string_view message, std::string_view for_app = appid) {
  return encrypted_push(message, token, official_aes_key, for_app);
}

}  // namespace

TEST_CASE("an alarm is heard in both modes, as XML and as JSON") {
  for (std::string const& body :
       {quota_push_json(1000, 1000, created_s), quota_push_xml(1000, 1000, created_s)}) {
    for (Mode const mode : {Mode::plain, Mode::encrypted}) {
      Bench bench(mode);
      CHECK(bench.receive(mode == Mode::plain ? plain(body) : encrypted(body)) == PushOutcome::accepted);
      REQUIRE(bench.heard.size() == 1);
      CHECK(bench.heard.front().first == appid);
      REQUIRE(std::holds_alternative<core::QuotaAlarm>(bench.heard.front().second));
      CHECK(std::get<core::QuotaAlarm>(bench.heard.front().second).percent_left() == 0);
      CHECK(bench.receiver.counts().alarms == 1);
    }
  }
}

TEST_CASE("WeChat's own encrypted example is accepted, and is of no concern") {
  Bench bench(Mode::encrypted);
  std::string const body =
      R"({"ToUserName":"gh_97417a04a28d","Encrypt":")" + std::string(official_encrypt) + "\"}";
  CHECK(bench.receive({.proof = {.signature = "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
                                 .msg_signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
                                 .timestamp = "1714112445",
                                 .nonce = "415670741"},
                       .body = body}) == PushOutcome::accepted);
  CHECK(bench.heard.empty());
  CHECK(bench.receiver.counts().unknown == 1);
  CHECK(bench.count_lines("debug_demo") == 1);
}

TEST_CASE("what is forged or garbled changes nothing") {
  struct Case {
    std::string_view what;
    Mode mode;
    PushOnWire push;
    PushOutcome outcome;
  };
  std::string const alarm = quota_push_json(1000, 1000, created_s);
  auto const unsigned_push = [](PushOnWire push) {
    push.proof.signature.clear();
    push.proof.msg_signature.clear();
    return push;
  };
  auto const msg_signature_only_over_time = [](PushOnWire push) {
    push.proof.msg_signature = push.proof.signature;
    return push;
  };
  auto const with_other_body = [](PushOnWire push, std::string body) {
    push.body = std::move(body);
    return push;
  };
  std::vector<Case> const cases{
      {"plain, not signed", Mode::plain, unsigned_push(plain(alarm)), PushOutcome::forged},
      {"plain, another token", Mode::plain, plain_push(alarm, "BBBBB"), PushOutcome::forged},
      {"plain, empty", Mode::plain, plain(""), PushOutcome::unreadable},
      {"plain, no message", Mode::plain, plain("hello"), PushOutcome::unreadable},
      {"plain, encrypted", Mode::plain, encrypted(alarm), PushOutcome::unreadable},
      {"a plain push where it must be encrypted", Mode::encrypted, plain(alarm), PushOutcome::forged},
      {"encrypted, not signed", Mode::encrypted, unsigned_push(encrypted(alarm)), PushOutcome::forged},
      {"encrypted, another token", Mode::encrypted, encrypted_push(alarm, "BBBBB", official_aes_key, appid),
       PushOutcome::forged},
      {"encrypted, signed without the body", Mode::encrypted, msg_signature_only_over_time(encrypted(alarm)),
       PushOutcome::forged},
      {"another body under a good signature", Mode::encrypted,
       with_other_body(encrypted(alarm), encrypted(quota_push_json(1000, 0, created_s)).body),
       PushOutcome::forged},
      {"an empty Encrypt", Mode::encrypted, with_other_body(encrypted(alarm), R"({"Encrypt":""})"),
       PushOutcome::forged},
      {"another key", Mode::encrypted,
       encrypted_push(alarm, token, "B" + std::string(official_aes_key.substr(1)), appid),
       PushOutcome::unreadable},
      {"for another mini program", Mode::encrypted, encrypted(alarm, "wx0123456789abcdef"),
       PushOutcome::unreadable},
      {"garbage inside", Mode::encrypted, encrypted("garbage"), PushOutcome::unreadable},
      {"encrypted twice", Mode::encrypted, encrypted(encrypted(alarm).body), PushOutcome::unreadable},
  };
  for (Case const& each : cases) {
    CAPTURE(each.what);
    Bench bench(each.mode);
    CHECK(bench.receive(each.push) == each.outcome);
    CHECK(bench.heard.empty());
    CHECK(bench.receiver.counts().forged + bench.receiver.counts().unreadable == 1);
    CHECK(bench.lines.size() == 1);
  }
}

TEST_CASE("WeChat's retries are answered, and heard once") {
  for (Mode const mode : {Mode::plain, Mode::encrypted}) {
    Bench bench(mode);
    std::string const body = quota_push_xml(1000, 1000, created_s);
    for (int attempt = 0; attempt < 4; ++attempt)
      CHECK(bench.receive(mode == Mode::plain ? plain(body) : encrypted(body)) == PushOutcome::accepted);
    CHECK(bench.heard.size() == 1);
    CHECK(bench.receiver.counts().repeats == 3);
  }
}

TEST_CASE("a retry is known from a clock of WeChat's ahead of ours, too") {
  Bench bench(Mode::plain);
  std::string const body = quota_push_json(1000, 1000, core::unix_seconds(bench.clock.wall()) + 60);
  CHECK(bench.receive(plain(body)) == PushOutcome::accepted);
  bench.clock.advance(std::chrono::seconds(5));
  CHECK(bench.receive(plain(body)) == PushOutcome::accepted);
  CHECK(bench.heard.size() == 1);
}

TEST_CASE("alarms that differ are heard each, and memory of them ends") {
  Bench bench(Mode::plain);
  constexpr std::int64_t alarms = 2 * static_cast<std::int64_t>(core::limits::pushes_remembered);
  for (std::int64_t i = 0; i < alarms; ++i)
    CHECK(bench.receive(plain(quota_push_json(1000, 900, created_s + i))) == PushOutcome::accepted);
  CHECK(bench.heard.size() == alarms);
  CHECK(bench.receive(plain(quota_push_json(1000, 900, created_s + alarms - 1))) == PushOutcome::accepted);
  CHECK(bench.heard.size() == alarms);
  CHECK(bench.receive(plain(quota_push_json(1000, 900, created_s))) == PushOutcome::accepted);
  CHECK(bench.heard.size() == alarms + 1);
}

TEST_CASE("unknown events are acknowledged, counted, and told once a minute") {
  Bench bench(Mode::plain);
  std::string const body = "<xml><MsgType>event</MsgType><Event>weapp_audit_success</Event></xml>";
  for (int i = 0; i < 100; ++i) CHECK(bench.receive(plain(body)) == PushOutcome::accepted);
  CHECK(bench.heard.empty());
  CHECK(bench.receiver.counts().unknown == 100);
  CHECK(bench.count_lines("weapp_audit_success") == 1);
  bench.clock.advance(core::limits::repeated_log_interval);
  CHECK(bench.receive(plain(body)) == PushOutcome::accepted);
  CHECK(bench.count_lines("weapp_audit_success") == 2);
  CHECK(bench.count_lines("\"repeats\":99") == 1);
}

TEST_CASE("strangers cannot fill the log") {
  Bench bench(Mode::plain);
  for (int i = 0; i < 100; ++i) CHECK(bench.receive(plain_push("x", "BBBBB")) == PushOutcome::forged);
  CHECK(bench.lines.size() == 1);
  CHECK(bench.receiver.counts().forged == 100);
}

TEST_CASE("neither token nor key reaches the log") {
  Bench bench(Mode::encrypted);
  bench.receiver.use(appid, {.token = core::PushToken("TheTokenItself"),
                             .aes_key = core::PushAesKey("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")});
  CHECK(bench.receive(encrypted("x")) == PushOutcome::forged);
  CHECK(bench.receive(encrypted_push("x", "TheTokenItself", official_aes_key, appid)) ==
        PushOutcome::unreadable);
  CHECK(bench.lines.size() == 2);
  CHECK(bench.count_lines("TheTokenItself") == 0);
  CHECK(bench.count_lines("abcdefghij") == 0);
}

TEST_CASE("WeChat's check of the URL needs the token only") {
  core::PushProof const official{.signature = "f464b24fc39322e44b38aa78f5edd27bd1441696",
                                 .msg_signature = {},
                                 .timestamp = "1714036504",
                                 .nonce = "1514711492"};
  for (Mode const mode : {Mode::plain, Mode::encrypted}) {
    Bench bench(mode);
    CHECK(bench.receiver.is_from_wechat(appid, official));
    bench.receiver.use(appid, secrets_of(mode, "BBBBB"));
    CHECK_FALSE(bench.receiver.is_from_wechat(appid, official));
  }
}

TEST_CASE("only those that are served and have a token expect a push") {
  Bench bench(Mode::plain);
  CHECK(bench.receiver.expects(appid));
  CHECK(bench.receiver.only_app() == appid);
  CHECK_FALSE(bench.receiver.expects("wx0123456789abcdef"));
  CHECK_FALSE(bench.receiver.expects(""));
  bench.receiver.use("wx0123456789abcdef", secrets_of(Mode::plain, ""));
  CHECK_FALSE(bench.receiver.expects("wx0123456789abcdef"));
  CHECK(bench.receiver.only_app().empty());
  auto const push = plain_push(quota_push_json(1000, 1000, created_s), "");
  CHECK(bench.receiver.receive("wx0123456789abcdef", push.proof, push.body) == PushOutcome::forged);
  CHECK(bench.heard.empty());
}

TEST_CASE("two mini programs have tokens of their own") {
  Bench bench(Mode::plain);
  bench.receiver.use("wx0123456789abcdef", secrets_of(Mode::plain, "BBBBB"));
  auto const push = plain_push(quota_push_json(1000, 1000, created_s), "BBBBB");
  CHECK(bench.receiver.receive(appid, push.proof, push.body) == PushOutcome::forged);
  CHECK(bench.receiver.receive("wx0123456789abcdef", push.proof, push.body) == PushOutcome::accepted);
  REQUIRE(bench.heard.size() == 1);
  CHECK(bench.heard.front().first == "wx0123456789abcdef");
}
