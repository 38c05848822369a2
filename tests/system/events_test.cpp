#include <doctest/doctest.h>

#include <chrono>
#include <csignal>

#include "core/crypto/digest.hpp"
#include "tests/system/system_fixture.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

constexpr char key_of_li[] = "li-has-this-key-0001";

std::string digest_of_code(std::string const& code) {
  return core::crypto::to_hex(core::crypto::sha256(code));
}

/// An event of so many seconds ago; a code is told of by its digest.
std::string event(std::string const& id, std::string const& type, int ago_s, std::string const& code = {}) {
  auto const now = std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  std::string text = R"({"id":")" + id + R"(-of-this-page","type":")" + type +
                     R"(","scene":"checkout","at":)" + std::to_string(core::unix_seconds(now) - ago_s);
  if (!code.empty()) text += R"(,"codeDigest":")" + digest_of_code(code) + '"';
  return text + "}";
}

/// A page of the sandbox's mini program.
struct Page {
  RunningServer& server;
  app::Caller caller{};

  app::CallAnswer tell(std::string const& events) {
    std::string const body = R"({"events":[)" + events + "]}";
    return caller.call(server.target(),
                       {.bytes = app::render_request("POST", "/phone/events",
                                                     {{"Host", "localhost"},
                                                      {"Referer", std::string(test_referer)},
                                                      {"Content-Type", "application/json"},
                                                      {"Content-Length", std::to_string(body.size())}},
                                                     body)});
  }
  app::CallAnswer consume(std::string const& code) {
    return caller.call(server.target(), consume_request(code, key_of_li));
  }
};

void stop(RunningServer& server) {
  server.process().signal(SIGTERM);
  CHECK(server.process().wait() == 0);
}

}  // namespace

TEST_CASE("funnel and scenes are true of what pages told and of what came, also after a restart") {
  TempFolder const folder;
  std::string const events = event("tap-one", "tap", 400) + "," + event("tap-two", "tap", 5) + "," +
                             event("issued-one", "issued", 4, "sandbox-ok-1") + "," +
                             event("issued-two", "issued", 390, "sandbox-ok-2") + "," +
                             event("denied-one", "denied", 300) + "," +
                             event("fallback-one", "fallback", 299);
  auto const funnel = [&] {
    return ask_ledger(
        folder / "ledger.db",
        "SELECT sum(taps) || ' ' || sum(issued) || ' ' || sum(denied) || ' ' || sum(fallback) ||"
        " ' ' || sum(consumed) || ' ' || sum(never_presented) FROM v_funnel");
  };
  {
    RunningServer server(folder);
    Page page{server};
    app::CallAnswer const told = page.tell(events);
    CHECK(told.status == 202);
    CHECK(told.body == R"({"accepted":6,"duplicates":0})");
    CHECK(page.consume("sandbox-ok-1").status == 200);
    // Whether the second one came is settled five minutes after it was told of.
    CHECK(funnel() == "2 2 1 1 1 0");
    CHECK(ask_ledger(folder / "ledger.db",
                     "SELECT sum(issued) || ' ' || group_concat(DISTINCT client_env) FROM v_scenes"
                     " WHERE scene = 'checkout'") == "2 release");
    stop(server);
  }
  RunningServer server(folder);
  Page page{server};
  CHECK(page.tell(events).body == R"({"accepted":0,"duplicates":6})");
  CHECK(page.tell(event("tap-three", "tap", 1) + "," + event("tap-one", "tap", 400)).body ==
        R"({"accepted":1,"duplicates":1})");
  CHECK(funnel() == "3 2 1 1 1 0");
  CHECK(page.tell(event("tap-four", "tap", 1) + "," + event("tap-five", "drag", 1))
            .body.find("events[1].type") != std::string::npos);
  CHECK(funnel() == "3 2 1 1 1 0");
  stop(server);
  CHECK(ask_ledger(folder / "ledger.db", "SELECT count(*) FROM v_verify") == "0");
}

TEST_CASE("a refused code that its page had for long is called expired, at once and after a restart") {
  TempFolder const folder;
  {
    RunningServer server(folder);
    Page page{server};
    CHECK(page.tell(event("issued-one", "issued", 360, "sandbox-expired-1")).status == 202);
    app::CallAnswer const refused = page.consume("sandbox-expired-1");
    CHECK(refused.status == 422);
    CHECK(refused.body.find(R"("reason":"expired")") != std::string::npos);
    CHECK(page.consume("sandbox-expired-2").body.find(R"("reason":"unknown")") != std::string::npos);
    stop(server);
    CHECK(server.process().text().find(R"("msg":"code_issued_before")") != std::string::npos);
  }
  RunningServer server(folder);
  Page page{server};
  app::CallAnswer const replayed = page.consume("sandbox-expired-1");
  CHECK(replayed.header("Idempotent-Replayed") == "true");
  CHECK(replayed.body.find(R"("reason":"expired")") != std::string::npos);
}
