#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "app/sandbox/certificates.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr char key_of_li[] = "li-has-this-key-0001";

int run_to_end(std::vector<std::string> arguments, std::string& said,
               std::vector<std::string> environment = {}) {
  Process process(ONETAP_BINARY, std::move(arguments), std::move(environment));
  int const status = process.wait();
  said = process.text();
  return status;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("a code becomes a number through real TLS, and the ledger has the row") {
  TempFolder const folder;
  RunningServer server(folder);
  app::Caller caller;
  app::CallAnswer const answer = caller.call(server.target(), consume_request("sandbox-ok-1", key_of_li));
  CHECK(answer.status == 200);
  CHECK(contains(answer.body, R"("phoneNumber":"138)"));
  CHECK(ask_ledger(folder / "ledger.db", "SELECT state || attempts FROM v_consumptions") == "ok1");
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_verify") == "0");
}

TEST_CASE("a stored answer outlives a restart and goes to its caller only") {
  TempFolder const folder;
  std::string first_body;
  {
    RunningServer server(folder);
    app::Caller caller;
    first_body = caller.call(server.target(), consume_request("sandbox-ok-2", key_of_li)).body;
    server.process().signal(SIGTERM);
    CHECK(server.process().wait() == 0);
  }
  RunningServer server(folder);
  app::Caller caller;
  app::CallAnswer const again = caller.call(server.target(), consume_request("sandbox-ok-2", key_of_li));
  CHECK(again.status == 200);
  CHECK(again.header("Idempotent-Replayed") == "true");
  auto const up_to_request_id = first_body.find("\"requestId\"");
  CHECK(again.body.substr(0, up_to_request_id) == first_body.substr(0, up_to_request_id));
  app::CallAnswer const stranger = caller.call(server.target(), consume_request("sandbox-ok-2", ""));
  CHECK(stranger.status == 409);
  CHECK(contains(stranger.body, "CODE_ALREADY_USED"));
  CHECK(!contains(stranger.body, "138"));
}

TEST_CASE("after kill -9 in the middle of an exchange the code is in doubt and is never sent again") {
  TempFolder const folder;
  {
    RunningServer server(folder);
    app::Caller caller;
    auto const call = caller.begin(server.target(), consume_request("sandbox-slow-3", key_of_li));
    while (ask_ledger(folder / "ledger.db", "SELECT count(*) FROM consumption WHERE state = 'sending'") !=
           "1") {
      caller.pause(core::milliseconds(20));
    }
    server.process().signal(SIGKILL);
    CHECK(server.process().wait() == 128 + SIGKILL);
  }
  RunningServer server(folder);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT cause FROM v_in_doubt") == "crash");
  app::Caller caller;
  app::CallAnswer const again = caller.call(server.target(), consume_request("sandbox-slow-3", key_of_li));
  CHECK(again.status == 502);
  CHECK(contains(again.body, "OUTCOME_UNKNOWN"));
  CHECK(ask_ledger(folder / "ledger.db", "SELECT attempts FROM v_consumptions") == "1");
}

TEST_CASE("SIGTERM lets the exchange under way finish before the server ends with 0") {
  TempFolder const folder;
  RunningServer server(folder, {"--wechat-timeout-ms=1000"});
  app::Caller caller;
  auto const call = caller.begin(server.target(), consume_request("sandbox-slow-4", key_of_li));
  while (ask_ledger(folder / "ledger.db", "SELECT count(*) FROM consumption") != "1") {
    caller.pause(core::milliseconds(20));
  }
  server.process().signal(SIGTERM);
  app::CallAnswer const answer = caller.wait(call);
  CHECK(answer.status == 502);
  CHECK(answer.header("Connection") == "close");
  CHECK(server.process().wait() == 0);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT cause FROM v_in_doubt") == "timeout");
}

TEST_CASE("a client that leaves while WeChat is answering finds its answer stored") {
  TempFolder const folder;
  RunningServer server(folder, {"--wechat-timeout-ms=1000"});
  {
    app::Caller impatient;
    app::CallRequest request = consume_request("sandbox-slow-5", key_of_li);
    request.patience = core::milliseconds(200);
    CHECK(impatient.call(server.target(), std::move(request)).status == 0);
  }
  app::Caller caller;
  app::CallAnswer const again = caller.call(server.target(), consume_request("sandbox-slow-5", key_of_li));
  CHECK(again.status == 502);
  CHECK(again.header("Idempotent-Replayed") == "true");
  CHECK(ask_ledger(folder / "ledger.db", "SELECT attempts FROM v_consumptions") == "1");
}

TEST_CASE("a client that stops half way hears 408 and leaves nothing behind") {
  TempFolder const folder;
  RunningServer server(folder);
  app::Caller caller;
  app::CallRequest half = consume_request("sandbox-ok-6", key_of_li);
  half.bytes.resize(half.bytes.size() - 5);
  CHECK(caller.call(server.target(), std::move(half)).status == 408);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_consumptions") == "0");
}

TEST_CASE("neither log nor ledger holds a code, a number, a key or the secret") {
  TempFolder const folder;
  std::string const secret = "this-is-the-app-secret-0123456789";
  RunningServer server(folder, {"--log-level=debug", "--appid=wx0123456789abcdef"}, {"SECRET=" + secret});
  std::vector<std::string> confidential{secret, key_of_li};
  app::Caller caller;
  for (std::string const code :
       {"sandbox-ok-leak-1", "sandbox-token-expired-leak-2", "sandbox-foreign-leak-3",
        "sandbox-garbage-leak-4", "sandbox-expired-leak-5"}) {
    app::CallRequest request = consume_request(code, key_of_li);
    std::string const referer(test_referer);
    request.bytes.replace(request.bytes.find(referer), referer.size(),
                          "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html");
    app::CallAnswer const answer = caller.call(server.target(), std::move(request));
    confidential.push_back(code);
    auto const number = answer.body.find("\"phoneNumber\":\"");
    if (number != std::string::npos) confidential.push_back(answer.body.substr(number + 15, 11));
  }
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
  CHECK(confidential.size() == 9);  // two numbers were handed out
  std::string everything = server.process().text();
  for (auto const& file : std::filesystem::directory_iterator(folder.path())) {
    std::ifstream in(file.path(), std::ios::binary);
    everything.append(std::istreambuf_iterator<char>(in), {});
  }
  for (std::string const& text : confidential) CHECK_MESSAGE(!contains(everything, text), text);
}

TEST_CASE("one ledger has one server: the second is told who holds the lock") {
  TempFolder const folder;
  RunningServer server(folder);
  std::string said;
  CHECK(run_to_end(RunningServer::with_defaults(folder, {}), said) == 1);
  CHECK(contains(said, std::to_string(server.process().pid())));
}

TEST_CASE("a port that is taken ends the start with 1 and names it") {
  TempFolder const folder;
  TempFolder const other;
  RunningServer server(folder);
  std::string said;
  std::string const listen = "--listen=" + server.url().substr(8);
  CHECK(run_to_end(RunningServer::with_defaults(other, {listen}), said) == 1);
  CHECK(contains(said, server.url().substr(8)));
}

TEST_CASE("a ledger whose key is gone, or of the other WeChat, ends the start with 2") {
  TempFolder const folder;
  {
    RunningServer const server(folder);
  }
  std::string said;
  std::string const database = "--db=" + (folder / "ledger.db").string();
  std::filesystem::rename(folder / "ledger.db.key", folder / "elsewhere");
  CHECK(run_to_end(RunningServer::with_defaults(folder, {}), said) == 2);
  CHECK(contains(said, "ledger.db.key"));
  std::filesystem::rename(folder / "elsewhere", folder / "ledger.db.key");
  std::string const pem = (folder / "ledger.db.ca.pem").string();
  int const status = run_to_end({"serve", database, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0",
                                 "--tls=off", "--appid=wx0123456789abcdef"},
                                said, {"SECRET=x"});
  CHECK(status == 2);
  CHECK(contains(said, "sandbox"));
}

TEST_CASE("every setting that can't be used is named, and the start ends with 2") {
  std::string said;
  int const status = run_to_end({"serve", "--listen=nowhere", "--replay-window=0", "--verify=certainly"},
                                said, {"ONETAP_LOG_LEVEL=loud", "ONETAP_PUSH_TOKEN=x"});
  CHECK(status == 2);
  for (char const* name : {"APPID", "SECRET", "ONETAP_LISTEN", "ONETAP_REPLAY_WINDOW", "ONETAP_VERIFY",
                           "ONETAP_LOG_LEVEL", "ONETAP_PUSH_TOKEN", "ONETAP_TLS_CERT"}) {
    CHECK_MESSAGE(contains(said, name), name);
  }
}

TEST_CASE("SIGHUP takes a good new certificate and leaves the old one where the new one is bad") {
  TempFolder const folder;
  auto const now = std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  app::ThrowawayAuthority const first(app::throwaway_validity(now));
  app::ThrowawayAuthority const second(app::throwaway_validity(now));
  auto const write = [&](std::string const& certificate_pem, std::string const& key_pem) {
    std::ofstream(folder / "cert.pem", std::ios::trunc) << certificate_pem;
    std::ofstream(folder / "key.pem", std::ios::trunc) << key_pem;
  };
  auto const issue = [&](app::ThrowawayAuthority const& authority) {
    auto const pair = authority.issue(app::ServerNames(), app::throwaway_validity(now));
    write(pair.certificate_pem, pair.key_pem);
  };
  issue(first);
  RunningServer server(
      folder, {"--tls-cert=" + (folder / "cert.pem").string(), "--tls-key=" + (folder / "key.pem").string()});
  app::Target const trusts_first = server.target_that_trusts(first.ca_pem());
  app::Target const trusts_second = server.target_that_trusts(second.ca_pem());
  app::Caller caller;
  CHECK(caller.call(trusts_first, consume_request("sandbox-ok-7", "")).status == 200);

  write("not a certificate", "not a key");
  server.process().signal(SIGHUP);
  (void)server.process().await("certificate_not_reloaded", '\n');
  CHECK(caller.call(trusts_first, consume_request("sandbox-ok-8", "")).status == 200);

  issue(second);
  server.process().signal(SIGHUP);
  (void)server.process().await("certificate_reloaded", '\n');
  CHECK(caller.call(trusts_second, consume_request("sandbox-ok-9", "")).status == 200);
  CHECK(caller.call(trusts_first, consume_request("sandbox-ok-10", "")).status == 0);
}

TEST_CASE(
    "SIGHUP takes new secrets from their files, and keeps the old ones where a new one cannot be used") {
  TempFolder const folder;
  std::string const first(40, 'a');
  std::string const second(40, 'b');
  auto const write = [&](std::string const& text) {
    std::ofstream(folder / "tokens", std::ios::trunc) << text << "\n";
  };
  write(first);
  RunningServer server(folder,
                       {"--verify=signature", "--service-token-file=" + (folder / "tokens").string()});
  app::Target const target = server.target();
  app::Caller caller;
  auto const status_with = [&](std::string const& token) {
    return caller
        .call(target,
              {.bytes = app::render_request(
                   "GET", "/phone/quota", {{"Host", "localhost"}, {"Authorization", "Bearer " + token}}, "")})
        .status;
  };
  CHECK(status_with(first) == 200);
  CHECK(status_with(second) != 200);

  write(first + "," + second);
  server.process().signal(SIGHUP);
  (void)server.process().await("settings_reloaded", '\n');
  CHECK(status_with(first) == 200);
  CHECK(status_with(second) == 200);

  write("short");
  server.process().signal(SIGHUP);
  (void)server.process().await("settings_not_reloaded", '\n');
  CHECK(status_with(second) == 200);
}

TEST_CASE("several mini programs are served by one server, each with books of its own") {
  TempFolder const folder;
  std::ofstream(folder / "secret") << "0123456789abcdef0123456789abcdef\n";
  std::string const secret = (folder / "secret").string();
  std::ofstream(folder / "apps.json")
      << R"({"apps":[{"appid":"wxaaaaaaaaaaaaaaaa","secretFile":")" << secret
      << R"("},{"appid":"wxbbbbbbbbbbbbbbbb","secretFile":")" << secret << R"(","priceQuick":"0.02"}]})";
  RunningServer server(folder, {"--apps=" + (folder / "apps.json").string()});
  app::Target const target = server.target();
  app::Caller caller;
  auto const status_at = [&](std::string const& appid, std::string const& code) {
    std::string const body = R"({"code":")" + code + R"("})";
    return caller
        .call(target, {.bytes = app::render_request(
                           "POST", "/phone/consume",
                           {{"Host", "localhost"},
                            {"Referer", "https://servicewechat.com/" + appid + "/7/page-frame.html"},
                            {"Content-Type", "application/json"},
                            {"Content-Length", std::to_string(body.size())}},
                           body)})
        .status;
  };
  CHECK(status_at("wxaaaaaaaaaaaaaaaa", "sandbox-ok-7") == 200);
  CHECK(status_at("wxcccccccccccccccc", "sandbox-ok-8") == 403);
  CHECK(status_at("wxbbbbbbbbbbbbbbbb", "sandbox-ok-9") == 200);
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
  CHECK(ask_ledger(folder / "ledger.db",
                   "SELECT group_concat(app_id || ' ' || ok || ' ' || amount_yuan, '; ') FROM v_daily") ==
        "wxaaaaaaaaaaaaaaaa 1 0.03; wxbbbbbbbbbbbbbbbb 1 0.02");
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_verify") == "0");
}
