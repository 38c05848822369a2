#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>

#include "app/sandbox/certificates.hpp"
#include "core/clock.hpp"
#include "core/crypto/digest.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace json = boost::json;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A server with WeChat in a process of its own, as in real life, and a page that talks to both.
class TwoProcesses {
 public:
  explicit TwoProcesses(std::string const& level = "session") : level_(level) {
    wechat_address_ = wechat_.await(R"("listener":"sandbox","address":")", '"');
    app::ThrowawayAuthority const authority(app::throwaway_validity(now()));
    auto const pair = authority.issue(app::ServerNames(), app::throwaway_validity(now()));
    ca_pem_ = authority.ca_pem();
    std::ofstream(folder_ / "cert.pem") << pair.certificate_pem;
    std::ofstream(folder_ / "key.pem") << pair.key_pem;
    start();
  }

  void start() {
    server_ = std::make_unique<Process>(
        ONETAP_BINARY,
        std::vector<std::string>{
            "serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--appid=" + std::string(appid),
            "--verify=" + level_, "--db=" + (folder_ / "ledger.db").string(),
            "--tls-cert=" + (folder_ / "cert.pem").string(), "--tls-key=" + (folder_ / "key.pem").string(),
            "--wechat-url=https://" + wechat_address_, "--wechat-ca=" + (folder_ / "wechat.pem").string(),
            "--log-level=debug"},
        std::vector<std::string>{"SECRET=anything"});
    address_ = server_->await(R"("listener":"public","address":")", '"');
  }

  void restart() {
    server_->signal(SIGTERM);
    REQUIRE(server_->wait() == 0);
    start();
  }

  struct Answer {
    int status = 0;
    json::object body;
    bool replayed = false;
  };

  Answer post(std::string const& path, json::object const& body, std::string const& session = {}) {
    Headers headers{{"Host", "localhost"}, {"Referer", referer}, {"Content-Type", "application/json"}};
    if (!session.empty()) headers.emplace_back("Authorization", "Bearer " + session);
    return send(app::Target::make("https://" + address_, ca_pem_), path, headers, body);
  }

  Answer ask_wechat(std::string const& path, json::object const& body) {
    auto const ca = app::read_text_file((folder_ / "wechat.pem").string());
    return send(app::Target::make("https://" + wechat_address_, *ca), path, {{"Host", "localhost"}}, body);
  }

  std::string log_in(std::string const& js_code) {
    Answer const answer = post("/session", {{"jsCode", js_code}});
    REQUIRE(answer.status == 200);
    return std::string(answer.body.at("session").as_string());
  }

  /// What the button yields for who logged in with this js_code.
  json::object tap(std::string const& js_code, std::string const& test_code) {
    Answer const answer = ask_wechat("/sandbox/codes", {{"testCode", test_code}, {"jsCode", js_code}});
    REQUIRE(answer.status == 200);
    json::object tapped = answer.body;
    tapped.erase("expiresIn");
    return tapped;
  }

  [[nodiscard]] std::string ledger(std::string const& sql) { return ask_ledger(folder_ / "ledger.db", sql); }
  [[nodiscard]] Process& server() { return *server_; }
  [[nodiscard]] TempFolder const& folder() const { return folder_; }

  static constexpr std::string_view appid = "wx0123456789abcdef";

 private:
  static core::WallTime now() {
    return std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  }

  Answer send(core::Result<app::Target, std::string> const& target, std::string const& path, Headers headers,
              json::object const& body) {
    REQUIRE(target.has_value());
    std::string const text = json::serialize(body);
    headers.emplace_back("Content-Length", std::to_string(text.size()));
    headers.emplace_back("Connection", "close");
    app::CallAnswer const answer =
        caller_.call(*target, {.bytes = app::render_request("POST", path, headers, text)});
    boost::system::error_code unreadable;
    json::value const read = json::parse(answer.body, unreadable);
    return {.status = answer.status,
            .body = read.is_object() ? read.get_object() : json::object(),
            .replayed = answer.header("Idempotent-Replayed") == "true"};
  }

  std::string const referer = "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html";
  std::string level_;
  TempFolder folder_;
  Process wechat_{ONETAP_BINARY,
                  {"sandbox", "--listen=127.0.0.1:0", "--ca-out=" + (folder_ / "wechat.pem").string()},
                  {}};
  std::string wechat_address_;
  std::string ca_pem_;
  std::unique_ptr<Process> server_;
  std::string address_;
  app::Caller caller_;
};

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

TEST_CASE("at level signature a session of an earlier start must log in anew") {
  TwoProcesses world("signature");
  std::string const session = world.log_in("li--1");
  CHECK(code_of(world.post("/phone/consume", {{"code", "sandbox-ok-li"}}, session)) == "SIGNATURE_INVALID");
  CHECK(world.ledger("SELECT count(*) FROM v_consumptions") == "0");
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
