#include <doctest/doctest.h>

#include <csignal>

#include "tests/system/two_processes.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace json = boost::json;

namespace {

std::string code_of(TwoProcesses::Answer const& answer) {
  return std::string(answer.body.at("code").as_string());
}

}  // namespace

TEST_CASE("a session outlives a restart, and so does what it was answered") {
  TwoProcesses world;
  std::string const session = world.log_in("li--1");
  json::object const code{{"code", "sandbox-ok-li"}};
  auto const first = world.post("/phone/consume", code, session);
  REQUIRE(first.status == 200);
  world.restart();
  auto const again = world.post("/phone/consume", code, session);
  CHECK(again.status == 200);
  CHECK(again.replayed);
  CHECK(again.body.at("phoneNumber") == first.body.at("phoneNumber"));
  CHECK(code_of(world.post("/phone/consume", code, world.log_in("wang--1"))) == "CODE_ALREADY_USED");
  CHECK(world.ledger("SELECT count(*) FROM v_consumptions") == "1");
}

TEST_CASE("the access_token of before a restart serves after it, and WeChat is asked for no other") {
  TwoProcesses world;
  std::string const session = world.log_in("li--1");
  CHECK(world.post("/phone/consume", {{"code", "sandbox-ok-1"}}, session).status == 200);
  world.restart();
  CHECK(world.post("/phone/consume", {{"code", "sandbox-ok-2"}}, session).status == 200);
  CHECK(world.calls_of_wechat("/cgi-bin/stable_token") == 1);
  CHECK(world.ledger("SELECT group_concat(attempts) FROM consumption") == "1,1");
}

TEST_CASE("at level signature a session of an earlier start must log in anew") {
  TwoProcesses world("signature");
  std::string const session = world.log_in("li--1");
  CHECK(code_of(world.post("/phone/consume", {{"code", "sandbox-ok-li"}}, session)) == "SIGNATURE_INVALID");
  CHECK(world.ledger("SELECT count(*) FROM v_consumptions") == "0");
}

TEST_CASE("a page signs with the user's own key, which is fetched once, and once more when it was rotated") {
  TwoProcesses world("signature");
  std::string const session = world.log_in("li--1");
  SigningKey const key = world.user_key(session, {{"jsCode", "li--1"}});
  json::object const code{{"code", "sandbox-ok-1"}};
  auto const first = world.post_signed("/phone/consume", code, key);
  REQUIRE(first.status == 200);
  auto const again = world.post_signed("/phone/consume", code, key);
  CHECK(again.replayed);
  CHECK(again.body.at("phoneNumber") == first.body.at("phoneNumber"));
  CHECK(world.user_key_fetches() == 1);

  SigningKey const rotated = world.user_key(session, {{"jsCode", "li--1"}, {"rotate", true}});
  REQUIRE(rotated.name != key.name);
  json::object const next_code{{"code", "sandbox-ok-2"}};
  CHECK(world.post_signed("/phone/consume", next_code, rotated).status == 200);
  CHECK(world.post_signed("/phone/consume", next_code, rotated).replayed);
  CHECK(world.user_key_fetches() == 2);
}

TEST_CASE(
    "an unknown version of the user's key costs one fetch, another user's key none, and neither a code") {
  TwoProcesses world("signature");
  std::string const session = world.log_in("li--1");
  SigningKey const key = world.user_key(session, {{"jsCode", "li--1"}});
  json::object const code{{"code", "sandbox-ok-1"}};
  SigningKey unknown = key;
  unknown.name = "wechat:99";
  CHECK(code_of(world.post_signed("/phone/consume", code, unknown)) == "SIGNATURE_INVALID");
  CHECK(world.user_key_fetches() == 1);

  std::ignore = world.log_in("wang--1");
  SigningKey const stranger = world.user_key(session, {{"jsCode", "wang--1"}});
  REQUIRE(stranger.name == key.name);
  CHECK(code_of(world.post_signed("/phone/consume", code, stranger)) == "SIGNATURE_INVALID");
  CHECK(world.ledger("SELECT count(*) FROM v_consumptions") == "0");
  CHECK(world.post_signed("/phone/consume", code, key).status == 200);
  CHECK(world.user_key_fetches() == 1);
}

TEST_CASE("where WeChat has replaced the session_key, the user's own key means to log in again") {
  TwoProcesses world("signature");
  std::string const session = world.log_in("li--1");
  std::string const another_login = "/sns/jscode2session?appid=" + std::string(TwoProcesses::appid) +
                                    "&secret=anything&grant_type=authorization_code&js_code=li--2";
  REQUIRE(world.get_from_wechat(another_login).body.contains("session_key"));
  json::object const code{{"code", "sandbox-ok-1"}};
  SigningKey const key = world.user_key(session, {{"jsCode", "li--2"}});
  CHECK(code_of(world.post_signed("/phone/consume", code, key)) == "SESSION_EXPIRED");
  SigningKey const anew = world.user_key(world.log_in("li--3"), {{"jsCode", "li--3"}});
  CHECK(world.post_signed("/phone/consume", code, anew).status == 200);
}

TEST_CASE("what an old base library got is decrypted, once for each blob") {
  TwoProcesses world;
  std::string const session = world.log_in("li--1");
  json::object blob = world.tap("li--1", "sandbox-ok");
  blob.erase("code");
  auto const first = world.post("/phone/decrypt", blob, session);
  REQUIRE(first.status == 200);
  auto const again = world.post("/phone/decrypt", blob, session);
  CHECK(again.status == 200);
  CHECK(again.replayed);
  CHECK(world.ledger("SELECT group_concat(path || ' ' || state) FROM v_consumptions") == "legacy ok");
  CHECK(world.ledger("SELECT count(*) FROM v_verify") == "0");
  CHECK(code_of(world.post("/phone/decrypt", blob, world.log_in("wang--1"))) == "CODE_ALREADY_USED");
}

TEST_CASE("a lost answer is rescued by what came along, without a second call") {
  TwoProcesses world;
  std::string const session = world.log_in("li--1");
  json::object const tapped = world.tap("li--1", "sandbox-reset");
  auto const rescued = world.post("/phone/consume", tapped, session);
  REQUIRE(rescued.status == 200);
  CHECK(world.ledger("SELECT path || ' ' || state || ' ' || attempts FROM v_consumptions") == "rescue ok 1");
  auto const again = world.post("/phone/consume", tapped, session);
  CHECK(again.replayed);
  CHECK(again.body.at("phoneNumber") == rescued.body.at("phoneNumber"));
  CHECK(world.ledger("SELECT count(*) FROM v_verify") == "0");
}

TEST_CASE("neither ledger nor log nor backup tells a session, an openid, a session_key or a number") {
  TwoProcesses world;
  std::string const session = world.log_in("li--1");
  json::object const tapped = world.tap("li--1", "sandbox-ok");
  auto const number = world.post("/phone/consume", tapped, session);
  REQUIRE(number.status == 200);
  std::string const backup = (world.folder() / "backup.db").string();
  Process copying(ONETAP_BINARY, {"backup", backup, "--db", (world.folder() / "ledger.db").string()}, {});
  REQUIRE(copying.wait() == 0);

  // As the sandbox makes them of the js_code.
  std::string const openid =
      "o" + core::crypto::to_hex(core::crypto::sha256("openid:" + std::string(TwoProcesses::appid) + ":li"))
                .substr(0, 27);
  core::crypto::Digest const key = core::crypto::sha256("session_key:li--1");
  std::vector<std::string> const secrets{session,
                                         openid,
                                         core::crypto::to_base64(std::span(key).first(16)),
                                         std::string(reinterpret_cast<char const*>(key.data()), 16),
                                         std::string(number.body.at("phoneNumber").as_string()),
                                         std::string(tapped.at("code").as_string()),
                                         std::string(tapped.at("encryptedData").as_string())};
  world.server().signal(SIGKILL);  // leaves the WAL as it is
  static_cast<void>(world.server().wait());
  for (char const* const name : {"ledger.db", "ledger.db-wal", "backup.db"}) {
    std::ifstream file(world.folder() / name, std::ios::binary);
    std::string const bytes{std::istreambuf_iterator<char>(file), {}};
    for (std::string const& secret : secrets)
      CHECK_MESSAGE(bytes.find(secret) == std::string::npos, name << " holds " << secret);
  }
  for (std::string const& secret : secrets)
    CHECK_MESSAGE(world.server().text().find(secret) == std::string::npos, "the log holds " << secret);
}
