#include "core/gate/user_keys.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/gate_bench.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

using Key = Result<std::string, UserKeyFailure>;

std::string const key_10 = crypto::from_base64("VI6BpyrK9XH4i4AIGe86tg==").value();
std::string const key_9 = crypto::from_base64("aoUGAHltcliiL9f23oTKHA==").value();

WeChatReply keys_10_and_9(int expires_in_s = 3600) {
  std::string const life = std::to_string(expires_in_s);
  return ScriptedWeChat::says(
      R"({"errcode":0,"errmsg":"ok","key_info_list":[
         {"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":)" +
      life + R"(},{"encrypt_key":"aoUGAHltcliiL9f23oTKHA==","version":9,"expire_in":60}]})");
}

/// One user, logged in, and WeChat with an access_token.
struct Bench : GateBench {
  SessionRow session;

  Bench() {
    hold_token();
    session = log_in("an-openid");
  }

  SessionRow log_in(std::string const& openid, std::string const& session_key = "o0q0otL8aEzpcZL/FT9WsQ==") {
    OpenedSession const opened = open_session(openid, session_key);
    return sessions.look(id_of(opened.token), clock.wall())->get().row;
  }
  void will_say(WeChatReply reply) { wechat.user_key_replies.push_back(std::move(reply)); }
  Key get(std::int64_t version) { return finished(user_keys.get(session, version, "r-1")); }
  [[nodiscard]] std::size_t asked() const { return wechat.user_keys_asked.size(); }
};

std::string bytes(Key const& key) { return key ? *key : "none"; }

UserKeyFault fault(Key const& key) {
  REQUIRE_FALSE(key.has_value());
  return key.error().fault;
}

}  // namespace

TEST_CASE("a user's key is fetched when it is first asked for, and then held") {
  Bench bench;
  bench.will_say(keys_10_and_9());
  CHECK(bytes(bench.get(10)) == key_10);
  CHECK(bytes(bench.get(9)) == key_9);
  CHECK(bytes(bench.get(10)) == key_10);
  CHECK(bench.asked() == 1);
}

TEST_CASE("WeChat is asked in the user's name, with the session_key's official signature") {
  Bench bench;
  bench.will_say(keys_10_and_9());
  REQUIRE(bench.get(10).has_value());
  ScriptedWeChat::UserKeysAsked const& asked = bench.wechat.user_keys_asked.front();
  CHECK(asked.access_token == "token-1");
  CHECK(asked.openid == "an-openid");
  CHECK(asked.signature == "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128");
}

TEST_CASE("it is the newest login's session_key that is asked with") {
  Bench bench;
  std::ignore = bench.log_in("an-openid", "tiihtNczf5v6AKRyjwEUhQ==");
  bench.will_say(keys_10_and_9());
  REQUIRE(bench.get(10).has_value());
  CHECK(bench.wechat.user_keys_asked.front().signature !=
        "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128");
}

TEST_CASE("a key is held until it expires, and then fetched anew") {
  Bench bench;
  bench.will_say(keys_10_and_9(600));
  REQUIRE(bench.get(10).has_value());
  bench.clock.advance(599s);
  REQUIRE(bench.get(10).has_value());
  CHECK(bench.asked() == 1);
  bench.clock.advance(1s);
  bench.will_say(keys_10_and_9());
  CHECK(bench.get(10).has_value());
  CHECK(bench.asked() == 2);
}

TEST_CASE("a key that expired and is not renewed opens nothing") {
  Bench bench;
  bench.will_say(keys_10_and_9(600));
  REQUIRE(bench.get(10).has_value());
  bench.clock.advance(600s);
  bench.will_say(ScriptedWeChat::says(R"({"errcode":0,"key_info_list":[]})"));
  CHECK(fault(bench.get(10)) == UserKeyFault::unknown_version);
}

TEST_CASE("an unknown version costs one fetch, and the versions that came are held") {
  Bench bench;
  bench.will_say(keys_10_and_9());
  CHECK(fault(bench.get(11)) == UserKeyFault::unknown_version);
  CHECK(bench.asked() == 1);
  CHECK(bench.get(10).has_value());
  CHECK(bench.asked() == 1);
}

TEST_CASE("versions that keep being unknown cost a user three fetches a minute, and nobody else any") {
  Bench bench;
  for (int i = 0; i < 3; ++i) {
    bench.will_say(keys_10_and_9());
    CHECK(fault(bench.get(11 + i)) == UserKeyFault::unknown_version);
    bench.clock.advance(1s);
  }
  for (int i = 0; i < 100; ++i) CHECK(fault(bench.get(100 + i)) == UserKeyFault::too_often);
  CHECK(bench.asked() == 3);
  CHECK(bench.get(10).has_value());  // what is held is still good

  SessionRow const other = bench.log_in("another-openid");
  bench.will_say(keys_10_and_9());
  CHECK(bench.finished(bench.user_keys.get(other, 10, "r-1")).has_value());

  bench.clock.advance(57s);  // the first fetch is a minute ago
  bench.will_say(keys_10_and_9());
  CHECK(fault(bench.get(11)) == UserKeyFault::unknown_version);
  CHECK(fault(bench.get(11)) == UserKeyFault::too_often);
}

TEST_CASE("who asks too often is told when the first of the three fetches is a minute ago") {
  Bench bench;
  for (int i = 0; i < 3; ++i) {
    bench.will_say(keys_10_and_9());
    CHECK(fault(bench.get(11)) == UserKeyFault::unknown_version);
    bench.clock.advance(7s);
  }
  Key const refused = bench.get(11);
  REQUIRE(fault(refused) == UserKeyFault::too_often);
  CHECK(refused.error().retry_after == 39s);
  bench.clock.advance(39s);
  bench.will_say(keys_10_and_9());
  CHECK(fault(bench.get(11)) == UserKeyFault::unknown_version);
}

TEST_CASE("what WeChat refuses is told apart, with its errcode and rid") {
  struct Row {
    int errcode;
    UserKeyFault fault;
  };
  for (Row const& row : {Row{40164, UserKeyFault::misconfigured}, Row{48001, UserKeyFault::misconfigured},
                         Row{50007, UserKeyFault::misconfigured}, Row{45011, UserKeyFault::rate_limited},
                         Row{45009, UserKeyFault::rate_limited}, Row{40003, UserKeyFault::unavailable},
                         Row{-1, UserKeyFault::unavailable}, Row{87009, UserKeyFault::log_in_again}}) {
    CAPTURE(row.errcode);
    Bench bench;
    bench.will_say(ScriptedWeChat::says(R"({"errcode":)" + std::to_string(row.errcode) +
                                        R"(,"errmsg":"no, rid: 65a33cd8-1b2c3d4e-0f0f0f0f"})"));
    Key const refused = bench.get(10);
    CHECK(fault(refused) == row.fault);
    CHECK(refused.error().errcode == row.errcode);
    CHECK(refused.error().rid == "65a33cd8-1b2c3d4e-0f0f0f0f");
  }
}

TEST_CASE("the operator reads which request found no keys, and why") {
  Bench bench;
  bench.will_say(
      ScriptedWeChat::says(R"({"errcode":40164,"errmsg":"invalid ip, rid: 65a33cd8-1b2c3d4e-0f0f0f0f"})"));
  CHECK(fault(bench.get(10)) == UserKeyFault::misconfigured);
  for (std::string_view const part :
       {"user_keys_not_fetched", "\"r-1\"", "wx0123456789abcdef", "40164", "65a33cd8-1b2c3d4e-0f0f0f0f",
        "this server's address is not on the IP white list"})
    CHECK_MESSAGE(bench.log_has(part), part);
  bench.will_say(ScriptedWeChat::fails(Delivery::maybe_sent, TransportFailure::timeout));
  CHECK(fault(bench.get(10)) == UserKeyFault::unavailable);
  CHECK(bench.log_has("no answer in time"));
}

TEST_CASE("without an access_token for the operator's fault, it is the operator's") {
  GateBench bench;
  OpenedSession const opened = bench.open_session("an-openid");
  SessionRow const session = bench.sessions.look(id_of(opened.token), bench.clock.wall())->get().row;
  bench.wechat.token_replies.push_back(ScriptedWeChat::says(R"({"errcode":40125,"errmsg":"no"})"));
  bench.hold_token();
  auto waiting = start(bench.loop, bench.user_keys.get(session, 10, "r-1"));
  bench.clock.advance(limits::login_time);
  REQUIRE(waiting.done());
  CHECK(fault(waiting.value()) == UserKeyFault::misconfigured);
}

TEST_CASE("requests that need a user's key at the same time share one fetch") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say(keys_10_and_9());
  std::vector<Started<Key>> waiting;
  for (int i = 0; i < 50; ++i)
    waiting.push_back(start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1")));
  auto unknown = start(bench.loop, bench.user_keys.get(bench.session, 11, "r-1"));
  bench.clock.settle();
  CHECK_FALSE(waiting.front().done());
  bench.wechat.let_go();
  bench.clock.settle();
  for (auto& one : waiting) {
    REQUIRE(one.done());
    CHECK(bytes(one.value()) == key_10);
  }
  CHECK(fault(unknown.value()) == UserKeyFault::unknown_version);
  CHECK(bench.asked() == 1);
}

TEST_CASE("who waits for another's fetch waits no longer than a login may take") {
  Bench bench;
  bench.disk.is_slow = true;
  auto first = start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1"));
  auto second = start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1"));
  bench.clock.advance(limits::login_time);
  REQUIRE(second.done());
  CHECK(fault(second.value()) == UserKeyFault::unavailable);
  CHECK_FALSE(first.done());
}

TEST_CASE("two users do not wait for each other") {
  Bench bench;
  SessionRow const other = bench.log_in("another-openid");
  bench.wechat.hold_answers = true;
  bench.will_say(keys_10_and_9());
  bench.will_say(keys_10_and_9());
  auto first = start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1"));
  auto second = start(bench.loop, bench.user_keys.get(other, 10, "r-1"));
  bench.clock.settle();
  CHECK(bench.asked() == 2);
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(first.value().has_value());
  CHECK(second.value().has_value());
}

TEST_CASE("who shares a fetch that fails hears the same as who began it") {
  Bench bench;
  bench.wechat.hold_answers = true;
  bench.will_say(
      ScriptedWeChat::says(R"({"errcode":87009,"errmsg":"invalid signature","key_info_list":[]})"));
  auto first = start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1"));
  auto second = start(bench.loop, bench.user_keys.get(bench.session, 10, "r-1"));
  bench.clock.settle();
  bench.wechat.let_go();
  bench.clock.settle();
  CHECK(fault(first.value()) == UserKeyFault::log_in_again);
  CHECK(fault(second.value()) == UserKeyFault::log_in_again);
}

TEST_CASE("a session_key that is not the latest asks for a new login, which then finds the key") {
  Bench bench;
  bench.will_say(
      ScriptedWeChat::says(R"({"errcode":87009,"errmsg":"invalid signature","key_info_list":[]})"));
  CHECK(fault(bench.get(10)) == UserKeyFault::log_in_again);
  bench.session = bench.log_in("an-openid", "tiihtNczf5v6AKRyjwEUhQ==");
  bench.will_say(keys_10_and_9());
  CHECK(bytes(bench.get(10)) == key_10);
}

TEST_CASE("a user whose session_key the store does not have, or cannot open, logs in again") {
  Bench bench;
  bench.session.user = bench.user("nobody-we-know");
  CHECK(fault(bench.get(10)) == UserKeyFault::log_in_again);

  Bench damaged;
  damaged.session.sealed_openid.back() ^= 1;
  CHECK(fault(damaged.get(10)) == UserKeyFault::log_in_again);
  CHECK(damaged.asked() == 0);
}

TEST_CASE("a store that does not answer and a WeChat that cannot be asked are no fault of the user's") {
  Bench no_store;
  no_store.store.accepts = false;
  CHECK(fault(no_store.get(10)) == UserKeyFault::unavailable);
  CHECK(no_store.asked() == 0);

  for (WeChatReply const& reply : {ScriptedWeChat::fails(Delivery::not_sent, TransportFailure::connect),
                                   ScriptedWeChat::fails(Delivery::maybe_sent, TransportFailure::timeout),
                                   ScriptedWeChat::says("<html>", 502),
                                   ScriptedWeChat::says(R"({"errcode":-1,"errmsg":"system error"})")}) {
    Bench bench;
    bench.will_say(reply);
    CHECK(fault(bench.get(10)) == UserKeyFault::unavailable);
    bench.will_say(keys_10_and_9());
    CHECK(bench.get(10).has_value());
  }
}

TEST_CASE("a failed fetch leaves the keys that are held") {
  Bench bench;
  bench.will_say(keys_10_and_9());
  REQUIRE(bench.get(10).has_value());
  bench.will_say(ScriptedWeChat::says("<html>", 502));
  CHECK(fault(bench.get(11)) == UserKeyFault::unavailable);
  CHECK(bench.get(10).has_value());
}

TEST_CASE("a refused access_token is dropped, and the next request asks with its successor") {
  Bench bench;
  bench.will_say(ScriptedWeChat::says(R"({"errcode":40001,"errmsg":"invalid credential"})"));
  bench.wechat.token_replies.push_back(
      ScriptedWeChat::says(R"({"access_token":"token-2","expires_in":7200})"));
  CHECK(fault(bench.get(10)) == UserKeyFault::unavailable);
  bench.will_say(keys_10_and_9());
  CHECK(bench.get(10).has_value());
  REQUIRE(bench.asked() == 2);
  CHECK(bench.wechat.user_keys_asked.back().access_token == "token-2");
}

TEST_CASE("without an access_token nothing is asked") {
  GateBench bench;
  OpenedSession const opened = bench.open_session("an-openid");
  SessionRow const session = bench.sessions.look(id_of(opened.token), bench.clock.wall())->get().row;
  auto waiting = start(bench.loop, bench.user_keys.get(session, 10, "r-1"));
  bench.clock.advance(limits::login_time);
  REQUIRE(waiting.done());
  CHECK(fault(waiting.value()) == UserKeyFault::unavailable);
  CHECK(bench.wechat.user_keys_asked.empty());
}

TEST_CASE("neither openid, session_key, its signature nor a user's key is logged") {
  Bench bench;
  bench.will_say(ScriptedWeChat::says(R"({"errcode":87009,"errmsg":"invalid signature an-openid"})"));
  std::ignore = bench.get(10);
  REQUIRE(bench.log_has("user_keys_not_fetched"));
  CHECK_FALSE(bench.log_has("an-openid"));
  CHECK_FALSE(bench.log_has("o0q0otL8aEzpcZL"));
  CHECK_FALSE(bench.log_has("46e043c5525c"));
}

TEST_CASE("keys are held for so many users and no more: whoever came first makes room") {
  Bench bench;
  bench.will_say(keys_10_and_9());
  REQUIRE(bench.get(10).has_value());
  SessionRow stranger = bench.session;
  for (std::size_t i = 0; i < limits::user_keys_max; ++i) {
    stranger.user.digest = crypto::sha256(std::to_string(i));
    std::ignore =
        bench.finished(bench.user_keys.get(stranger, 10, "r-1"));  // no session_key of theirs is stored
  }
  CHECK(bench.asked() == 1);
  bench.will_say(keys_10_and_9());
  CHECK(bench.get(10).has_value());
  CHECK(bench.asked() == 2);
}
