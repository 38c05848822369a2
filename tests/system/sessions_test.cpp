#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>

#include "app/sandbox/certificates.hpp"
#include "core/clock.hpp"
#include "core/crypto/digest.hpp"
#include "core/gate/signature.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace json = boost::json;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// What a page signs with.
struct SigningKey {
  std::string session;
  std::string name;   // "session" or "wechat:<version>"
  std::string bytes;  // base64
};

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
    Headers headers = page_headers();
    if (!session.empty()) headers.emplace_back("Authorization", "Bearer " + session);
    return send(server_target(), "POST", path, headers, json::serialize(body));
  }

  Answer post_signed(std::string const& path, json::object const& body, SigningKey const& key) {
    Headers headers = page_headers();
    std::string const text = json::serialize(body);
    headers.emplace_back("Authorization", authorization("POST", path, text, key));
    return send(server_target(), "POST", path, headers, text);
  }

  Answer ask_wechat(std::string const& path, json::object const& body) {
    return send(wechat_target(), "POST", path, {{"Host", "localhost"}}, json::serialize(body));
  }

  Answer get_from_wechat(std::string const& path) {
    return send(wechat_target(), "GET", path, {{"Host", "localhost"}}, "");
  }

  std::string log_in(std::string const& js_code) {
    Answer const answer = post("/session", {{"jsCode", js_code}});
    REQUIRE(answer.status == 200);
    return std::string(answer.body.at("session").as_string());
  }

  /// What getLatestUserKey hands to the page of who logged in with this js_code.
  SigningKey user_key(std::string const& session, json::object const& asked) {
    Answer const answer = ask_wechat("/sandbox/user-key", asked);
    REQUIRE(answer.status == 200);
    return {.session = session,
            .name = "wechat:" + std::to_string(answer.body.at("version").as_int64()),
            .bytes = std::string(answer.body.at("encryptKey").as_string())};
  }

  /// How often WeChat has been asked for users' keys.
  std::int64_t calls_of_wechat(std::string_view path) {
    Answer const journal = get_from_wechat("/sandbox/journal?limit=0");
    REQUIRE(journal.status == 200);
    auto const* const fetches = journal.body.at("callsByPath").as_object().if_contains(path);
    return fetches == nullptr ? 0 : fetches->as_int64();
  }
  std::int64_t user_key_fetches() { return calls_of_wechat("/wxa/business/getuserencryptkey"); }

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

  [[nodiscard]] core::Result<app::Target, std::string> server_target() const {
    return app::Target::make("https://" + address_, ca_pem_);
  }

  [[nodiscard]] core::Result<app::Target, std::string> wechat_target() const {
    auto const ca = app::read_text_file((folder_ / "wechat.pem").string());
    REQUIRE(ca.has_value());
    return app::Target::make("https://" + wechat_address_, *ca);
  }

  [[nodiscard]] Headers page_headers() const {
    return {{"Host", "localhost"}, {"Referer", referer_}, {"Content-Type", "application/json"}};
  }

  static std::string authorization(std::string_view method, std::string_view target, std::string_view body,
                                   SigningKey const& key) {
    std::array<unsigned char, 16> nonce{};
    core::crypto::fill_random(nonce);
    std::string const nonce_str = core::crypto::to_hex(nonce);
    std::string const timestamp = std::to_string(core::unix_seconds(now()));
    std::string const bytes = core::crypto::from_base64(key.bytes).value();
    core::crypto::Digest const signature =
        core::crypto::hmac_sha256({reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()},
                                  core::message_to_sign(method, target, timestamp, nonce_str, body));
    return R"(ONETAP-HMAC-SHA256 session=")" + key.session + R"(",key=")" + key.name + R"(",timestamp=")" +
           timestamp + R"(",nonce_str=")" + nonce_str + R"(",signature=")" +
           core::crypto::to_base64(signature) + '"';
  }

  Answer send(core::Result<app::Target, std::string> const& target, std::string_view method,
              std::string const& path, Headers headers, std::string const& body) {
    REQUIRE(target.has_value());
    if (!body.empty()) headers.emplace_back("Content-Length", std::to_string(body.size()));
    headers.emplace_back("Connection", "close");
    app::CallAnswer const answer =
        caller_.call(*target, {.bytes = app::render_request(method, path, headers, body)});
    boost::system::error_code unreadable;
    json::value const read = json::parse(answer.body, unreadable);
    return {.status = answer.status,
            .body = read.is_object() ? read.get_object() : json::object(),
            .replayed = answer.header("Idempotent-Replayed") == "true"};
  }

  std::string const referer_ = "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html";
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
