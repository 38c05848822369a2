#include <doctest/doctest.h>

#include <boost/asio/ip/tcp.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/metrics_text.hpp"
#include "tests/system/two_processes.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

std::string const docs = ONETAP_SOURCE "/docs";

/// GET on the operator listener as Prometheus does it; the answer as it came.
std::string get_from(std::string const& address, std::string const& path, std::string const& host,
                     std::string const& further_headers = {}) {
  auto const colon = address.rfind(':');
  boost::asio::ip::tcp::iostream line(address.substr(0, colon), address.substr(colon + 1));
  line << "GET " << path << " HTTP/1.1\r\nHost: " << host << "\r\n"
       << further_headers << "Connection: close\r\n\r\n"
       << std::flush;
  return {std::istreambuf_iterator<char>(line), {}};
}

std::string body_of(std::string const& answer) {
  auto const end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : answer.substr(end + 4);
}

struct Judgement {
  int status = 0;
  std::string said;
};

Judgement promtool(std::string const& arguments) {
  Process process("/bin/sh", {"-c", "exec promtool " + arguments}, {"PATH=/usr/bin:/bin"});
  int const status = process.wait();
  return {.status = status, .said = process.text()};
}

void append_rules(json::value const& value, std::string& rules, std::size_t& count) {
  if (auto const* const object = value.if_object()) {
    if (auto const* const expression = object->if_contains("expr")) {
      std::string text(expression->as_string());
      for (auto const& [variable, meaning] : {std::pair<std::string, std::string>("$__rate_interval", "5m"),
                                              {"$instance", ".*"},
                                              {"$app", ".*"}}) {
        for (auto at = text.find(variable); at != std::string::npos; at = text.find(variable))
          text.replace(at, variable.size(), meaning);
      }
      rules.append("  - record: asked").append(std::to_string(++count));
      rules.append("\n    expr: ").append(json::serialize(json::value(text))).append("\n");
    }
    for (auto const& member : *object) append_rules(member.value(), rules, count);
  } else if (auto const* const array = value.if_array()) {
    for (auto const& member : *array) append_rules(member, rules, count);
  }
}

}  // namespace

TEST_CASE("a scrape tells what has happened, in the words of docs/metrics.md, and promtool finds no fault") {
  TwoProcesses both("origin", {});
  both.ask_wechat("/sandbox/packs", {{"packs", {json::object{{"pkgId", "ZY1"}, {"all", 500}, {"used", 20}}}},
                                     {"average", 3000}});
  both.start();
  std::string const operators = both.server().await(R"("listener":"operator","address":")", '"');
  both.server().await(R"("msg":"usage","app":"wx0123456789abcdef","kind":"realtime")", '}');
  CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-1"}}).status == 200);
  CHECK(both.post("/phone/consume", {{"code", "sandbox-ok-1"}}).status == 409);
  CHECK(both.post("/phone/consume", {{"code", "sandbox-expired-1"}}).status == 422);
  CHECK(both.post("/phone/consume", {{"code", "sandbox-garbage-1"}}).status == 502);
  json::object const issued{{"id", "an-event-of-a-page-1"},
                            {"type", "issued"},
                            {"at", std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())}};
  CHECK(both.post("/phone/events", {{"events", json::array{issued}}}).status == 202);

  std::string const answer = get_from(operators, "/metrics", operators);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.find("Content-Type: text/plain; version=0.0.4; charset=utf-8") != std::string::npos);
  std::string const text = body_of(answer);
  std::string const consume = R"(onetap_http_requests_total{listener="public")";
  CHECK(value_in(text, consume, R"(route="/phone/consume",outcome="ok")") == "1");
  CHECK(value_in(text, consume, R"(route="/phone/consume",outcome="CODE_ALREADY_USED")") == "1");
  CHECK(value_in(text, consume, R"(route="/phone/consume",outcome="CODE_INVALID")") == "1");
  CHECK(value_in(text, consume, R"(route="/phone/consume",outcome="OUTCOME_UNKNOWN")") == "1");
  CHECK(value_in(text, "onetap_numbers_total{", R"(kind="quick",source="exchange",outcome="ok")") == "1");
  CHECK(value_in(text, "onetap_exchanges_total{", R"(kind="quick",outcome="ok")") == "1");
  CHECK(value_in(text, "onetap_exchanges_total{", R"(kind="quick",outcome="rejected")") == "1");
  CHECK(value_in(text, "onetap_exchanges_total{",
                 R"(kind="quick",outcome="in_doubt",cause="malformed_answer")") == "1");
  CHECK(value_in(text, "onetap_exchange_errcodes_total{", R"(errcode="40029")") == "1");
  CHECK(value_in(text, "onetap_wechat_calls_total{", R"(call="getuserphonenumber",outcome="answered")") ==
        "3");
  CHECK(value_in(text, "onetap_token_refreshes_total{", R"(outcome="ok")") == "1");
  CHECK(value_in(text, "onetap_quota_units{", R"(kind="quick")") == "500");
  CHECK(value_in(text, "onetap_quota_left_units{", R"(kind="quick")") == "478");
  CHECK(value_in(text, "onetap_quota_time_left_seconds{", R"(kind="quick")") == "412992");
  CHECK(value_in(text, "onetap_ledger_units{", R"(kind="quick",account="doubt")") == "1");
  CHECK(value_in(text, "onetap_doubt_codes{", R"(kind="quick")") == "1");
  CHECK(value_in(text, "onetap_page_events_total{", R"(type="issued")") == "1");
  CHECK(value_in(text, "onetap_breaker_state{", R"(state="closed")") == "1");
  CHECK(value_in(text, "onetap_ready", "") == "1");
  for (std::string const secret : {"sandbox-ok-1", "13800", "127.0.0.1", "an-event-of"}) {
    CAPTURE(secret);
    CHECK(text.find(secret) == std::string::npos);
  }

  auto const documentation = app::read_text_file(docs + "/metrics.md");
  REQUIRE(documentation.has_value());
  auto const documented = documented_metrics(*documentation);
  auto const exposed = families_in(text);
  for (auto const& [name, family] : exposed) {
    CAPTURE(name);
    CHECK(documented.contains(name));
    if (documented.contains(name)) CHECK(documented.at(name) == family.type + " " + family.labels);
  }
  for (auto const& [name, described] : documented) {
    CAPTURE(name);
    CHECK(exposed.contains(name));
  }

  std::ofstream(both.folder() / "scrape") << text;
  Judgement const judged = promtool("check metrics <" + (both.folder() / "scrape").string());
  CHECK_MESSAGE(judged.status == 0, judged.said);
  both.server().signal(SIGTERM);
  CHECK(both.server().wait() == 0);
}

TEST_CASE("who may not see the operators' listener does not see its metrics") {
  TempFolder const folder;
  RunningServer server(folder, {}, {"ONETAP_ADMIN_TOKEN=an-operators-token-of-32-characters"});
  std::string const& address = server.operator_address();
  std::string const token = "Authorization: Bearer an-operators-token-of-32-characters\r\n";
  CHECK(get_from(address, "/metrics", address).starts_with("HTTP/1.1 401"));
  CHECK(get_from(address, "/metrics", "evil.example", token).starts_with("HTTP/1.1 403"));
  CHECK(get_from(address, "/metrics", address, "Origin: http://evil.example\r\n" + token)
            .starts_with("HTTP/1.1 403"));
  std::string const answer = get_from(address, "/metrics", address, token);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(value_in(answer, "onetap_build_info{", R"(mode="sandbox")") == "1");
  CHECK(value_in(answer, "onetap_http_requests_total{", R"(route="/metrics",outcome="UNAUTHORIZED")") == "1");
}

TEST_CASE("promtool finds no fault with the metrics' alert rules, which do as their tests say") {
  Judgement const checked = promtool("check rules " + docs + "/prometheus/alerts.yml");
  CHECK_MESSAGE(checked.status == 0, checked.said);
  Judgement const tested = promtool("test rules " + docs + "/prometheus/alerts_test.yml");
  CHECK_MESSAGE(tested.status == 0, tested.said);
}

TEST_CASE("promtool can read each expression of the metrics' dashboard for Grafana") {
  auto const dashboard = app::read_text_file(docs + "/grafana/onetap.json");
  REQUIRE(dashboard.has_value());
  std::string rules = "groups:\n- name: dashboard\n  rules:\n";
  std::size_t count = 0;
  append_rules(json::parse(*dashboard), rules, count);
  CHECK(count > 40);
  TempFolder const folder;
  std::ofstream(folder / "rules.yml") << rules;
  Judgement const checked = promtool("check rules " + (folder / "rules.yml").string());
  CHECK_MESSAGE(checked.status == 0, checked.said);
}
