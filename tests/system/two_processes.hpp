#pragma once

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/sandbox/certificates.hpp"
#include "core/clock.hpp"
#include "core/crypto/digest.hpp"
#include "core/gate/signature.hpp"
#include "tests/system/system_fixture.hpp"

namespace onetap::tests {

namespace json = boost::json;

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
  explicit TwoProcesses(std::string level = "session") : TwoProcesses(std::move(level), {}) { start(); }

  /// Not started yet, so that WeChat can be told what to say before it is asked.
  TwoProcesses(std::string level, std::vector<std::string> further_arguments)
      : level_(std::move(level)), further_arguments_(std::move(further_arguments)) {
    wechat_address_ = wechat_.await(R"("listener":"sandbox","address":")", '"');
    app::ThrowawayAuthority const authority(app::throwaway_validity(now()));
    auto const pair = authority.issue(app::ServerNames(), app::throwaway_validity(now()));
    ca_pem_ = authority.ca_pem();
    std::ofstream(folder_ / "cert.pem") << pair.certificate_pem;
    std::ofstream(folder_ / "key.pem") << pair.key_pem;
  }

  void start() {
    std::vector<std::string> arguments{"serve",
                                       "--listen=127.0.0.1:0",
                                       "--admin-listen=127.0.0.1:0",
                                       "--appid=" + std::string(appid),
                                       "--verify=" + level_,
                                       "--db=" + (folder_ / "ledger.db").string(),
                                       "--tls-cert=" + (folder_ / "cert.pem").string(),
                                       "--tls-key=" + (folder_ / "key.pem").string(),
                                       "--wechat-url=https://" + wechat_address_,
                                       "--wechat-ca=" + (folder_ / "wechat.pem").string(),
                                       "--log-level=debug"};
    arguments.insert(arguments.end(), further_arguments_.begin(), further_arguments_.end());
    server_ = std::make_unique<Process>(ONETAP_BINARY, std::move(arguments),
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

  Answer get(std::string const& path, std::string const& session = {}) {
    Headers headers = page_headers();
    if (!session.empty()) headers.emplace_back("Authorization", "Bearer " + session);
    return send(server_target(), "GET", path, std::move(headers), "");
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
  std::vector<std::string> further_arguments_;
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

}  // namespace onetap::tests
