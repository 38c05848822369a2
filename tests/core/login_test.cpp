#include "core/gate/login.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/gate_bench.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view session_key = "tiihtNczf5v6AKRyjwEUhQ==";

WeChatReply good_login(std::string const& openid = "oGZUI0egBJY1zhBYw2KhdUfwVJJE") {
  return ScriptedWeChat::says(R"({"openid":")" + openid + R"(","session_key":")" + std::string(session_key) +
                              R"("})");
}

Result<OpenedSession, Problem> log_in(GateBench& bench) {
  return bench.finished(bench.logins.log_in(JsCode("0a1b2c-js-code"), "r-1"));
}

}  // namespace

TEST_CASE("a login opens a session that its token finds, with a key to sign with") {
  GateBench bench;
  bench.wechat.login_replies.push_back(good_login());
  auto const opened = log_in(bench);
  REQUIRE(opened.has_value());
  CHECK(opened->token.reveal().size() == limits::session_token_bytes);
  CHECK(opened->token.reveal().find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos);
  CHECK(opened->signing_key.reveal().size() == 32);
  CHECK(opened->expires_in == 2h);

  auto const session = bench.sessions.use(id_of(opened->token), bench.clock.wall());
  REQUIRE(session.has_value());
  CHECK(session->get().signing_key->reveal() == opened->signing_key.reveal());
  CHECK(session->get().row.appid == GateBench::appid);
  CHECK(session->get().row.user == bench.user("oGZUI0egBJY1zhBYw2KhdUfwVJJE"));
}

TEST_CASE("WeChat is asked once, with this mini program's credentials, and in time for the page") {
  GateBench bench;
  bench.wechat.login_replies.push_back(good_login());
  SteadyTime const now = bench.clock.steady();
  REQUIRE(log_in(bench).has_value());
  REQUIRE(bench.wechat.logins_asked.size() == 1);
  ScriptedWeChat::LoginAsked const& asked = bench.wechat.logins_asked.front();
  CHECK(asked.appid == GateBench::appid);
  CHECK(asked.secret == "a-secret");
  CHECK(asked.js_code == "0a1b2c-js-code");
  CHECK(asked.deadline == now + limits::login_time);
}

TEST_CASE("the store gets the token's digest, and openid and session_key sealed for this user alone") {
  GateBench bench;
  bench.wechat.login_replies.push_back(good_login());
  auto const opened = log_in(bench);
  REQUIRE(opened.has_value());
  REQUIRE(bench.store.sessions.size() == 1);
  SessionRow const& row = bench.store.sessions.front();
  CHECK(row.id == id_of(opened->token));
  CHECK(row.opened == bench.clock.wall());
  CHECK(row.used == bench.clock.wall());
  auto const openid = bench.keyring.open(crypto::SealedField::openid, row_of(row.user), row.sealed_openid);
  REQUIRE(openid.has_value());
  CHECK(openid->reveal() == "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
  auto const keys = bench.finished(bench.store.session_keys(row.user));
  REQUIRE(keys->size() == 1);
  auto const key = bench.keyring.open(crypto::SealedField::session_key, row_of(row.user), keys->front());
  REQUIRE(key.has_value());
  CHECK(key->reveal() == session_key);
  CallerKey const other = bench.user("somebody else");
  CHECK_FALSE(bench.keyring.open(crypto::SealedField::session_key, row_of(other), keys->front()).has_value());
}

TEST_CASE("no two sessions share a token or a key") {
  GateBench bench;
  std::set<std::string> tokens;
  std::set<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    OpenedSession const opened = bench.open_session("an-openid");
    tokens.emplace(opened.token.reveal());
    keys.emplace(opened.signing_key.reveal());
  }
  CHECK(tokens.size() == 100);
  CHECK(keys.size() == 100);
}

TEST_CASE("a page hears of its session when the store has it, and not before") {
  GateBench bench;
  bench.disk.is_slow = true;
  bench.wechat.login_replies.push_back(good_login());
  auto login = start(bench.loop, bench.logins.log_in(JsCode("a-js-code"), "r-1"));
  bench.clock.settle();
  CHECK_FALSE(login.done());
  CHECK(bench.sessions.size() == 0);
  bench.disk.let_go();
  bench.clock.settle();
  REQUIRE(login.done());
  CHECK(login.value().has_value());
  CHECK(bench.sessions.size() == 1);
}

TEST_CASE(
    "a page that leaves while its session is being stored leaves no session that only the store knows") {
  GateBench bench;
  bench.disk.is_slow = true;
  asio::cancellation_signal leaves;
  bench.wechat.login_replies.push_back(good_login());
  asio::co_spawn(bench.loop, bench.logins.log_in(JsCode("a-js-code"), "r-1"),
                 asio::bind_cancellation_slot(leaves.slot(), [](auto const&...) {}));
  bench.clock.settle();
  leaves.emit(asio::cancellation_type::terminal);
  bench.clock.settle();
  bench.disk.let_go();
  bench.clock.settle();
  CHECK(bench.sessions.size() == 1);
}

TEST_CASE("where the store refuses, no session is opened") {
  GateBench bench;
  bench.store.accepts = false;
  bench.wechat.login_replies.push_back(good_login());
  auto const opened = log_in(bench);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == ProblemCode::storage_unavailable);
  CHECK(opened.error().retry == Retry::login);  // the js_code is spent
  CHECK(opened.error().retry_after == 5s);
  CHECK(bench.sessions.size() == 0);
}

TEST_CASE("where WeChat refuses, nothing is opened or stored, and the operator reads why") {
  struct Row {
    WeChatReply reply;
    ProblemCode code;
    std::string_view in_log;
  };
  for (Row const& row : {
           Row{ScriptedWeChat::says(
                   R"({"errcode":40029,"errmsg":"invalid code, rid: 65a33cd8-1b2c3d4e-0f0f0f0f"})"),
               ProblemCode::code_invalid, "65a33cd8-1b2c3d4e-0f0f0f0f"},
           Row{ScriptedWeChat::says(R"({"errcode":40226,"errmsg":"code blocked"})"),
               ProblemCode::user_blocked, "40226"},
           Row{ScriptedWeChat::says(R"({"errcode":40125,"errmsg":"invalid appsecret"})"),
               ProblemCode::service_misconfigured, "SECRET is wrong"},
           Row{ScriptedWeChat::says("<html>"), ProblemCode::wechat_unavailable, "not JSON"},
           Row{good_login("an openid that is none"), ProblemCode::wechat_unavailable, "no openid"},
           Row{ScriptedWeChat::fails(Delivery::maybe_sent, TransportFailure::timeout),
               ProblemCode::wechat_unavailable, "login_failed"},
       }) {
    GateBench bench;
    bench.wechat.login_replies.push_back(row.reply);
    auto const opened = log_in(bench);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == row.code);
    CHECK(bench.sessions.size() == 0);
    CHECK(bench.store.sessions.empty());
    CHECK(bench.log_has(row.in_log));
    CHECK(bench.log_has("r-1"));
  }
}

TEST_CASE("no more logins ask WeChat at a time than may, and one that ends makes room") {
  GateBench bench;
  bench.wechat.hold_answers = true;
  std::vector<Started<Result<OpenedSession, Problem>>> logins;
  for (std::size_t i = 0; i < limits::logins_in_flight_max; ++i) {
    bench.wechat.login_replies.push_back(good_login());
    logins.push_back(start(bench.loop, bench.logins.log_in(JsCode("a-js-code"), "r-1")));
  }
  bench.clock.settle();
  auto const refused = log_in(bench);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ProblemCode::server_busy);
  CHECK(refused.error().retry == Retry::login);
  CHECK(refused.error().retry_after == 2s);
  CHECK(bench.wechat.logins_asked.size() == limits::logins_in_flight_max);
  CHECK_NOTHROW(std::ignore = bench.open_session("a-backend-brings-this-one"));
  bench.wechat.let_go();
  bench.clock.settle();
  for (auto& login : logins) REQUIRE(login.value().has_value());
  bench.wechat.login_replies.push_back(good_login());
  CHECK(log_in(bench).has_value());
}

TEST_CASE("pages that leave during their login make room") {
  GateBench bench;
  bench.wechat.hold_answers = true;
  for (std::size_t i = 0; i < limits::logins_in_flight_max; ++i) {
    asio::cancellation_signal leaves;
    bench.wechat.login_replies.push_back(good_login());
    asio::co_spawn(bench.loop, bench.logins.log_in(JsCode("a-js-code"), "r-1"),
                   asio::bind_cancellation_slot(leaves.slot(), [](auto const&...) {}));
    bench.clock.settle();
    leaves.emit(asio::cancellation_type::terminal);
    bench.clock.settle();
  }
  bench.wechat.hold_answers = false;
  bench.wechat.login_replies.push_back(good_login());
  CHECK(log_in(bench).has_value());
}

TEST_CASE("a session that may not grow as old as it may lie unused says so") {
  for (auto const& [life, expected] : {std::pair{SessionLife{.idle = 2h, .longest = 24h}, 7200s},
                                       std::pair{SessionLife{.idle = 2h, .longest = 30min}, 1800s}}) {
    GateBench bench;
    SessionBook book(life);
    LoginService logins({.clock = bench.clock,
                         .wechat = bench.wechat,
                         .store = bench.disk,
                         .keyring = bench.keyring,
                         .log = bench.log},
                        bench.account, book);
    bench.wechat.login_replies.push_back(good_login());
    auto const opened = bench.finished(logins.log_in(JsCode("a-js-code"), "r-1"));
    REQUIRE(opened.has_value());
    CHECK(opened->expires_in == expected);
    CHECK(book.look(id_of(opened->token), bench.clock.wall() + expected - 1s).has_value());
    CHECK_FALSE(book.look(id_of(opened->token), bench.clock.wall() + expected).has_value());
  }
}

TEST_CASE("a user who logs in again and again holds no more sessions than a user may") {
  GateBench bench;
  OpenedSession const first = bench.open_session("an-openid");
  for (int i = 0; i < 20; ++i) {
    bench.clock.advance(1s);
    std::ignore = bench.open_session("an-openid");
  }
  CHECK(bench.sessions.size() == limits::sessions_per_user_max);
  CHECK_FALSE(bench.sessions.look(id_of(first.token), bench.clock.wall()).has_value());
  SessionChanges changes = bench.sessions.take_changes(bench.clock.wall());
  REQUIRE(bench.finished(bench.store.change_sessions(std::move(changes))));
  CHECK(bench.store.sessions.size() == limits::sessions_per_user_max);
}

TEST_CASE("neither js_code, secret, token, openid nor a key is logged") {
  GateBench bench;
  bench.wechat.login_replies.push_back(good_login());
  bench.wechat.login_replies.push_back(ScriptedWeChat::says(
      R"({"errcode":40029,"errmsg":"invalid code 0a1b2c-js-code a-secret oGZUI0egBJY1zhBYw2KhdUfwVJJE"})"));
  auto const opened = log_in(bench);
  REQUIRE(opened.has_value());
  REQUIRE_FALSE(log_in(bench).has_value());
  REQUIRE_FALSE(bench.lines.empty());
  for (std::string_view const secret :
       {std::string_view("0a1b2c-js-code"), std::string_view("a-secret"), opened->token.reveal(),
        std::string_view("oGZUI0egBJY1zhBYw2KhdUfwVJJE"), session_key})
    CHECK_FALSE(bench.log_has(secret));
}
