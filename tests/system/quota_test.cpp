#include <doctest/doctest.h>

#include <string>

#include "tests/system/two_processes.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

/// "ok", "low", "exhausted exhausted": level and reason.
std::string said(TwoProcesses::Answer const& answer) {
  REQUIRE(answer.status == 200);
  std::string text(answer.body.at("level").as_string());
  if (auto const* const reason = answer.body.if_contains("reason"))
    text += " " + std::string(reason->as_string());
  return text;
}

json::object pack(std::string const& pkg_id, int all, int used) {
  return {{"pkgId", pkg_id}, {"all", all}, {"used", used}};
}

/// What pages are told once WeChat has been asked.
std::string told(TwoProcesses& both, std::string const& session = {}) {
  both.server().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
  return said(both.get("/phone/quota", session));
}

}  // namespace

TEST_CASE("WeChat's figures become packs of the ledger, and what pages are told before the tap") {
  TwoProcesses both("origin", {});
  SUBCASE("much is left") {
    both.ask_wechat("/sandbox/packs", {{"packs", {pack("", 1000, 1000), pack("ZY1", 500, 20)}}});
    both.start();
    CHECK(told(both) == "ok");
    CHECK(both.ledger("SELECT group_concat(wx_pkg_id || ' ' || wx_used || ' ' || verdict, ', ') FROM"
                      " v_reconciliation WHERE kind = 'quick'") == " 1000 AGREES, ZY1 20 AGREES");
  }
  SUBCASE("little is left") {
    both.ask_wechat("/sandbox/packs", {{"packs", {pack("", 1000, 950)}}});
    both.start();
    CHECK(told(both) == "low");
  }
  SUBCASE("nothing is left, and a code that comes is exchanged all the same") {
    both.ask_wechat("/sandbox/packs", {{"packs", {pack("", 1000, 1000)}}});
    both.start();
    CHECK(told(both) == "exhausted exhausted");
    CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-1"}}).status == 200);
    CHECK(both.ledger("SELECT used FROM v_packs WHERE source = 'overdraft' AND kind = 'quick'") == "1");
  }
  SUBCASE("the account is exempt from fees") {
    both.ask_wechat("/sandbox/packs", {{"packs", json::array()}});
    both.start();
    CHECK(told(both) == "ok");
    CHECK(both.ledger("SELECT count(*) FROM pack WHERE kind = 'quick' AND source <> 'overdraft'") == "0");
  }
  both.server().signal(SIGTERM);
  CHECK(both.server().wait() == 0);
}

TEST_CASE(
    "the day's caps end the taps of a user, and of everybody; no code is refused; a restart forgets none") {
  TwoProcesses both("session", {"--taps-per-user-day=2", "--budget-day=3"});
  both.start();
  std::string const li = both.log_in("li");
  std::string const wang = both.log_in("wang");
  auto const consumes = [&](std::string const& code, std::string const& session) {
    return both.post("/phone/consume", {{"code", code}}, session).status == 200;
  };
  CHECK(told(both, li) == "ok");
  CHECK(consumes("sandbox-ok-1", li));
  CHECK(consumes("sandbox-ok-2", li));
  CHECK(said(both.get("/phone/quota", li)) == "ok user_limit");
  CHECK(said(both.get("/phone/quota", wang)) == "ok");
  both.restart();
  CHECK(told(both, li) == "ok user_limit");
  CHECK(said(both.get("/phone/quota", wang)) == "ok");
  CHECK(consumes("sandbox-ok-3", li));
  CHECK(said(both.get("/phone/quota", wang)) == "ok budget");
  CHECK(consumes("sandbox-ok-4", wang));
}
