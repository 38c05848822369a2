#include "net/api/operator.hpp"

#include <doctest/doctest.h>

#include <array>
#include <boost/json/parse.hpp>

#include "net/api/routes.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run_task.hpp"

using namespace onetap;
using namespace onetap::tests;
namespace admin = core::admin;
namespace json = boost::json;

namespace {

/// Notes what it was asked, and answers what the test wants.
class NotedAdmin final : public core::LedgerAdmin {
 public:
  [[nodiscard]] core::Task<admin::Answer> administer(admin::Command command) override {
    commands.push_back(std::move(command));
    co_return answer;
  }

  std::vector<admin::Command> commands;
  admin::Answer answer{boost::system::in_place_value,
                       admin::Done{.id = 7, .count = 2, .sentence = "done so"}};
};

/// Notes what it was asked about the ledger's files.
class NotedUpkeep final : public core::LedgerUpkeep {
 public:
  [[nodiscard]] core::Task<admin::Answer> back_up(std::string file) override {
    backups.push_back(std::move(file));
    co_return answer;
  }
  [[nodiscard]] core::Task<admin::Answer> rotate_key(std::string new_key_file) override {
    new_key_files.push_back(std::move(new_key_file));
    co_return answer;
  }

  std::vector<std::string> backups;
  std::vector<std::string> new_key_files;
  admin::Answer answer{boost::system::in_place_value, admin::Done{.id = 0, .count = 3, .sentence = "copied"}};
};

/// Notes which day was asked for, and whether WeChat was.
class NotedReconciliations final : public core::Reconciliations {
 public:
  [[nodiscard]] core::Task<bool> ask_wechat() override {
    ++asked;
    co_return answers;
  }
  [[nodiscard]] core::Task<core::Result<std::string, admin::Refusal>> compare(std::string day) override {
    days.push_back(std::move(day));
    co_return compared;
  }

  int asked = 0;
  bool answers = true;
  std::vector<std::string> days;
  core::Result<std::string, admin::Refusal> compared{boost::system::in_place_value, "[{\"pack\": 2}]"};
};

/// Notes what it was asked, and answers what the test wants.
class NotedReports final : public core::OperatorReports {
 public:
  [[nodiscard]] core::Task<core::Result<std::string, admin::Refusal>> answer(
      core::ReportQuestion question) override {
    questions.push_back(std::move(question));
    co_return given;
  }

  std::vector<core::ReportQuestion> questions;
  core::Result<std::string, admin::Refusal> given{boost::system::in_place_value, R"({"as_of":"now"})"};
};

constexpr std::array page_files{core::EmbeddedFile{.path = "index.html", .text = "<!doctype html>"},
                                core::EmbeddedFile{.path = "css/page.css", .text = "body{}"},
                                core::EmbeddedFile{.path = "js/main.js", .text = "start()"}};

struct Stage {
  explicit Stage(std::optional<core::OperatorToken> token = std::nullopt, std::string address = "127.0.0.1")
      : api(ledger, upkeep, clock, log, {.token = std::move(token), .address = std::move(address)}),
        dashboard(
            reports, [] { return std::string(R"({"revision":"1"})"); }, page_files),
        router(net::operator_routes(
            {.operators = api,
             .unreadiness = [] { return std::vector<std::string>(); },
             .reconciliation = &reconciliation,
             .dashboard = &dashboard,
             .metrics_text = []() -> core::Task<std::string> { co_return "onetap_build_info 1\n"; }})) {}

  net::Response get(std::string const& path, std::string const& query = {},
                    std::vector<net::Header> headers = {}) {
    return ask("GET", path, query, {}, std::move(headers));
  }

  net::Response post(std::string const& path, std::string const& body,
                     std::vector<net::Header> headers = {}) {
    return ask("POST", path, {}, body, std::move(headers));
  }
  net::Response ask(std::string_view method, std::string const& path, std::string const& query,
                    std::string const& body, std::vector<net::Header> headers) {
    if (headers.empty()) headers = {{.name = "Host", .value = "127.0.0.1:8444"}};
    net::Request request{.method = method, .path = path, .query = query, .headers = headers, .body = body};
    request.request_id = "r-1";
    net::Router::Match const match = router.match(method, path);
    REQUIRE(match.route != nullptr);
    if (auto refused = match.route->admit(request)) return *refused;
    auto handled = start(loop, match.route->handle(request));
    loop.restart();
    loop.run();
    return handled.value();
  }
  int status_with(std::vector<net::Header> headers) {
    return post("/api/commands/pack-price", R"({"pack":1,"priceMicroYuan":5})", std::move(headers)).status;
  }

  asio::io_context loop{1};
  ManualClock clock{loop};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::error, [] { return core::WallTime{}; }};
  NotedAdmin ledger;
  NotedUpkeep upkeep;
  NotedReconciliations reconciliations;
  net::ReconciliationApi reconciliation{reconciliations};
  NotedReports reports;
  net::OperatorApi api;
  net::DashboardApi dashboard;
  net::Router router;
};

template <class Act>
Act only_act(Stage const& stage) {
  REQUIRE(stage.ledger.commands.size() == 1);
  REQUIRE(std::holds_alternative<Act>(stage.ledger.commands.front().act));
  return std::get<Act>(stage.ledger.commands.front().act);
}

}  // namespace

TEST_CASE("a doubt is resolved by its id, as lost or free, with a note") {
  Stage stage;
  net::Response const response =
      stage.post("/api/consumptions/42/resolve", R"({"as":"free","note":"usage did not move"})");
  CHECK(response.status == 200);
  CHECK(json::parse(response.body).at("id").as_int64() == 7);
  CHECK(json::parse(response.body).at("count").as_int64() == 2);
  CHECK(json::parse(response.body).at("done").as_string() == "done so");
  auto const act = only_act<admin::Resolve>(stage);
  CHECK(act.consumption == 42);
  CHECK(act.as == core::State::free);
  CHECK(act.note == "usage did not move");
  CHECK(stage.ledger.commands.front().at == stage.clock.wall());
}

TEST_CASE("a leak and a refund are booked with their notes; without units a refund takes all") {
  SUBCASE("leak") {
    Stage stage;
    CHECK(stage.post("/api/commands/leak", R"({"pack":2,"units":3,"note":"the bill"})").status == 200);
    auto const act = only_act<admin::BookLeak>(stage);
    CHECK(act.pack == 2);
    CHECK(act.units == 3);
    CHECK(act.note == "the bill");
  }
  SUBCASE("refund") {
    Stage stage;
    CHECK(stage.post("/api/commands/refund", R"({"pack":2,"note":"bought twice"})").status == 200);
    CHECK_FALSE(only_act<admin::BookRefund>(stage).units.has_value());
    CHECK(only_act<admin::BookRefund>(stage).note == "bought twice");
  }
  SUBCASE("never without a note") {
    Stage stage;
    for (std::string const path : {"/api/commands/leak", "/api/commands/refund"}) {
      CHECK(stage.post(path, R"({"pack":2,"units":3})").status == 400);
      CHECK(stage.post(path, R"({"pack":2,"units":3,"note":""})").status == 400);
    }
    CHECK(stage.ledger.commands.empty());
  }
}

TEST_CASE(
    "WeChat's count is shown beside the ledger's, of a day or of all; WeChat is asked when that is wanted") {
  Stage stage;
  CHECK(stage.get("/api/reconciliation").body == R"([{"pack": 2}])");
  CHECK(stage.get("/api/reconciliation", "day=2026-11-22").status == 200);
  CHECK(stage.reconciliations.days == std::vector<std::string>{"", "2026-11-22"});
  CHECK(stage.reconciliations.asked == 0);
  json::value const compared = json::parse(stage.post("/api/reconcile", "{}").body);
  CHECK(compared.at("asked").as_bool());
  CHECK(compared.at("packs").at(0).at("pack").as_int64() == 2);
  CHECK(stage.reconciliations.asked == 1);
  stage.reconciliations.answers = false;
  json::value const asked = json::parse(stage.post("/api/reconcile", R"({"askOnly":true})").body);
  CHECK_FALSE(asked.at("asked").as_bool());
  CHECK(asked.as_object().if_contains("packs") == nullptr);
}

TEST_CASE("what cannot be compared is said with the status that fits") {
  Stage stage;
  auto const refused = [](admin::Refusal::Kind kind) {
    return core::Result<std::string, admin::Refusal>(boost::system::in_place_error,
                                                     admin::Refusal{.kind = kind, .sentence = "why"});
  };
  stage.reconciliations.compared = refused(admin::Refusal::Kind::invalid);
  CHECK(stage.get("/api/reconciliation", "day=yesterday").status == 400);
  stage.reconciliations.compared = refused(admin::Refusal::Kind::unavailable);
  CHECK(stage.get("/api/reconciliation").status == 503);
  CHECK(stage.post("/api/reconcile", R"({"askOnly":7})").status == 400);
}

TEST_CASE("what cannot be meant is refused before the ledger hears of it") {
  Stage stage;
  std::string const resolve = "/api/consumptions/42/resolve";
  for (std::string const body :
       {"", "[]", "{}", R"({"as":"ok","note":"n"})", R"({"as":"lost"})", R"({"as":"lost","note":""})",
        R"({"as":"lost","note":7})", R"({"as":"lost","as":"free","note":"n"})"}) {
    CAPTURE(body);
    CHECK(stage.post(resolve, body).status == 400);
  }
  std::string const long_note(1001, 'n');
  CHECK(stage.post(resolve, R"({"as":"lost","note":")" + long_note + R"("})").status == 400);
  for (std::string const body : {R"({"appid":"wx1","units":5})", R"({"appid":"wx1","kind":"slow","units":5})",
                                 R"({"appid":"wx1","kind":"quick","units":"5"})",
                                 R"({"appid":"wx1","kind":"quick","units":5,"trial":"yes"})",
                                 R"({"appid":"wx1","kind":"quick","units":5,"endsAt":-1})"}) {
    CAPTURE(body);
    CHECK(stage.post("/api/commands/pack-add", body).status == 400);
  }
  for (std::string const body : {R"({"phoneKey":"13800138000"})", R"({"phoneKey":5})"}) {
    CAPTURE(body);
    CHECK(stage.post("/api/commands/erase", body).status == 400);
  }
  CHECK(stage.ledger.commands.empty());
}

TEST_CASE("a pack is added as it was told") {
  Stage stage;
  net::Response const response =
      stage.post("/api/commands/pack-add",
                 R"({"appid":"wx1","kind":"realtime","units":1000,"usedBefore":3,"priceMicroYuan":29990000,)"
                 R"("startsAt":1790000000,"endsAt":1800000000,"wxPkgId":"P1"})");
  CHECK(response.status == 200);
  auto const act = only_act<admin::AddPack>(stage);
  CHECK(act.appid == "wx1");
  CHECK(act.kind == core::Kind::realtime);
  CHECK(act.units == 1000);
  CHECK(act.used_before == 3);
  CHECK(act.price_micro_yuan == 29'990'000);
  CHECK(core::unix_seconds(*act.starts) == 1'790'000'000);
  CHECK(core::unix_seconds(*act.ends) == 1'800'000'000);
  CHECK(act.wx_pkg_id == "P1");
  CHECK_FALSE(act.trial);
}

TEST_CASE("a person is named by the digest of the number") {
  Stage stage;
  CHECK(stage.post("/api/commands/erase", R"({"phoneKey":")" + std::string(64, 'a') + R"("})").status == 200);
  auto const act = only_act<admin::ErasePerson>(stage);
  REQUIRE(act.phone_key);
  CHECK(act.phone_key->front() == 0xaa);
  CHECK_FALSE(act.user_key);
}

TEST_CASE("a backup is made where the operator says") {
  Stage stage;
  net::Response const response = stage.post("/api/commands/backup", R"({"file":"/backups/monday.db"})");
  CHECK(response.status == 200);
  CHECK(json::parse(response.body).at("count").as_int64() == 3);
  CHECK(json::parse(response.body).at("done").as_string() == "copied");
  CHECK(stage.upkeep.backups == std::vector<std::string>{"/backups/monday.db"});
}

TEST_CASE("a key is rotated, with a file for the new one or without") {
  Stage stage;
  CHECK(stage.post("/api/commands/key-rotate", "{}").status == 200);
  CHECK(stage.post("/api/commands/key-rotate", R"({"newKeyFile":"/etc/onetap/key.2"})").status == 200);
  CHECK(stage.upkeep.new_key_files == std::vector<std::string>{"", "/etc/onetap/key.2"});
}

TEST_CASE("the server's own folder is nothing that a path of an operator's may depend on") {
  Stage stage;
  for (std::string const body : {"{}", R"({"file":""})", R"({"file":"monday.db"})", R"({"file":"/backups/"})",
                                 R"({"file":5})", R"({"file":"/backups/monday.db\u0000.txt"})"}) {
    CAPTURE(body);
    CHECK(stage.post("/api/commands/backup", body).status == 400);
  }
  CHECK(stage.post("/api/commands/key-rotate", R"({"newKeyFile":"key.2"})").status == 400);
  CHECK(stage.post("/api/commands/key-rotate", "").status == 400);
  CHECK(stage.upkeep.backups.empty());
  CHECK(stage.upkeep.new_key_files.empty());
}

TEST_CASE("what the upkeep refuses is told with its sentence") {
  Stage stage;
  stage.upkeep.answer = {boost::system::in_place_error, admin::Refusal{.kind = admin::Refusal::Kind::conflict,
                                                                       .sentence = "monday.db exists"}};
  net::Response const response = stage.post("/api/commands/backup", R"({"file":"/backups/monday.db"})");
  CHECK(response.status == 409);
  CHECK(json::parse(response.body).at("detail").as_string() == "monday.db exists");
}

TEST_CASE("the ledger's refusal is told with its sentence") {
  using Kind = admin::Refusal::Kind;
  for (auto const& [kind, status] : {std::pair{Kind::not_found, 404}, std::pair{Kind::conflict, 409},
                                     std::pair{Kind::invalid, 400}, std::pair{Kind::unavailable, 503}}) {
    Stage stage;
    stage.ledger.answer = {boost::system::in_place_error,
                           admin::Refusal{.kind = kind, .sentence = "no, because"}};
    net::Response const response = stage.post("/api/consumptions/1/resolve", R"({"as":"lost","note":"n"})");
    CHECK(response.status == status);
    CHECK(response.content_type == "application/problem+json");
    CHECK(json::parse(response.body).at("detail").as_string() == "no, because");
  }
}

TEST_CASE("Host must be the bound address, localhost or a loopback literal") {
  Stage stage(std::nullopt, "192.0.2.1");
  for (char const* const host :
       {"127.0.0.1:8444", "localhost:8444", "LOCALHOST", "[::1]:8444", "192.0.2.1:8444"}) {
    CAPTURE(host);
    CHECK(stage.status_with({{.name = "Host", .value = host}}) == 200);
  }
  for (char const* const host :
       {"", "evil.example", "127.0.0.1.evil.example", "192.0.2.2", "localhost.evil", "["}) {
    CAPTURE(host);
    CHECK(stage.status_with({{.name = "Host", .value = host}}) == 403);
  }
}

TEST_CASE("a foreign Origin is refused, our own page's is not") {
  Stage stage;
  net::Header const host{.name = "Host", .value = "127.0.0.1:8444"};
  CHECK(stage.status_with({host, {.name = "Origin", .value = "http://127.0.0.1:8444"}}) == 200);
  for (char const* const origin :
       {"http://evil.example", "http://127.0.0.1:9999", "null", "", "http://127.0.0.1:8444.evil.example"}) {
    CAPTURE(origin);
    CHECK(stage.status_with({host, {.name = "Origin", .value = origin}}) == 403);
  }
}

TEST_CASE("with a token set, nothing under /api goes without it") {
  Stage stage(core::OperatorToken("a-token-of-operators"));
  net::Header const host{.name = "Host", .value = "127.0.0.1:8444"};
  net::Header const good{.name = "Authorization", .value = "Bearer a-token-of-operators"};
  CHECK(stage.status_with({host, good}) == 200);
  CHECK(stage.status_with({host}) == 401);
  CHECK(stage.status_with({host, good, good}) == 401);
  for (char const* const shown :
       {"Bearer", "Bearer another", "a-token-of-operators", "Bearer a-token-of-operators "}) {
    CAPTURE(shown);
    CHECK(stage.status_with({host, {.name = "Authorization", .value = shown}}) == 401);
  }
  net::Response const refused = stage.post("/api/commands/pack-price", "{}");
  CHECK(refused.headers.front() == std::pair<std::string, std::string>("WWW-Authenticate", "Bearer"));
  for (char const* const path : {"/api/commands/backup", "/api/commands/key-rotate"}) {
    CAPTURE(path);
    CHECK(stage.post(path, R"({"file":"/backups/monday.db"})").status == 401);
  }
  CHECK(stage.upkeep.backups.empty());
  CHECK(stage.upkeep.new_key_files.empty());
  CHECK(stage.router.match("GET", "/metrics").route->admit != nullptr);
  CHECK(stage.router.match("GET", "/healthz").route->admit == nullptr);
  CHECK(stage.router.match("GET", "/readyz").route->admit == nullptr);
}

namespace {

std::string header_of(net::Response const& response, std::string_view name) {
  for (auto const& [field, value] : response.headers) {
    if (field == name) return value;
  }
  return {};
}

std::vector<net::Header> const from_browser{{.name = "Host", .value = "127.0.0.1:8444"}};

}  // namespace

TEST_CASE("the page comes with a policy that lets nothing in from elsewhere, and nothing inline") {
  Stage stage;
  for (std::string const path : {"/", "/css/page.css", "/js/main.js"}) {
    CAPTURE(path);
    net::Response const response = stage.get(path);
    CHECK(response.status == 200);
    std::string const policy = header_of(response, "Content-Security-Policy");
    CHECK(policy.starts_with("default-src 'none'; "));
    CHECK(policy.find("unsafe") == std::string::npos);
    CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
    CHECK(policy.find("base-uri 'none'; form-action 'none'") != std::string::npos);
    CHECK(header_of(response, "Referrer-Policy") == "no-referrer");
    CHECK(header_of(response, "Cross-Origin-Resource-Policy") == "same-origin");
  }
  CHECK(stage.get("/").content_type == "text/html; charset=utf-8");
  CHECK(stage.get("/").body == "<!doctype html>");
  CHECK(stage.get("/css/page.css").content_type == "text/css; charset=utf-8");
  CHECK(stage.get("/js/main.js").content_type == "text/javascript; charset=utf-8");
}

TEST_CASE("only the page's own files are served") {
  Stage const stage;
  for (std::string const path : {"/index.html", "/js/", "/js/other.js", "/js/../index.html", "//"}) {
    CAPTURE(path);
    CHECK(stage.router.match("GET", path).route == nullptr);
  }
  CHECK(stage.router.match("POST", "/").refusal == net::Refusal::method_not_allowed);
}

TEST_CASE(
    "with a token the page itself is served without it, so that a browser can ask for it; data is not") {
  Stage stage(core::OperatorToken("opensesame"));
  CHECK(stage.get("/").status == 200);
  CHECK(stage.get("/js/main.js").status == 200);
  for (std::string const path :
       {"/api/live", "/api/summary", "/api/history", "/api/consumptions", "/api/packs"}) {
    CAPTURE(path);
    net::Response const refused = stage.get(path);
    CHECK(refused.status == 401);
    CHECK(header_of(refused, "WWW-Authenticate") == "Bearer");
  }
  CHECK(stage.reports.questions.empty());
  std::vector<net::Header> with_token = from_browser;
  with_token.push_back({.name = "Authorization", .value = "Bearer opensesame"});
  CHECK(stage.get("/api/summary", {}, with_token).status == 200);
  CHECK(stage.get("/api/live", {}, with_token).body == R"({"revision":"1"})");
}

TEST_CASE("the page, too, is only for those who speak to this listener by its own name") {
  Stage stage;
  CHECK(stage.get("/", {}, {{.name = "Host", .value = "evil.example"}}).status == 403);
  std::vector<net::Header> foreign = from_browser;
  foreign.push_back({.name = "Origin", .value = "https://evil.example"});
  CHECK(stage.get("/", {}, foreign).status == 403);
  CHECK(stage.get("/api/summary", {}, foreign).status == 403);
}

TEST_CASE("a history is of one mini program and kind") {
  Stage stage;
  for (std::string const query :
       {"", "app=wx1", "kind=quick", "app=wx1&kind=slow", "app=&kind=quick", "app=wx1&kind="}) {
    CAPTURE(query);
    CHECK(stage.get("/api/history", query).status == 400);
  }
  CHECK(stage.reports.questions.empty());
  CHECK(stage.get("/api/history", "app=wx1&kind=realtime").body == R"({"as_of":"now"})");
  REQUIRE(stage.reports.questions.size() == 1);
  CHECK(stage.reports.questions.front().about == core::ReportQuestion::About::history);
  CHECK(stage.reports.questions.front().appid == "wx1");
  CHECK(stage.reports.questions.front().kind == core::Kind::realtime);
}

TEST_CASE("a list of consumptions has at most 200 rows") {
  Stage stage;
  for (std::string const query :
       {"limit=0", "limit=201", "limit=-1", "limit=many", "limit=5x", "kind=slow"}) {
    CAPTURE(query);
    CHECK(stage.get("/api/consumptions", query).status == 400);
  }
  CHECK(stage.get("/api/consumptions").status == 200);
  CHECK(stage.get("/api/consumptions", "limit=200&app=wx1&kind=quick").status == 200);
  REQUIRE(stage.reports.questions.size() == 2);
  CHECK(stage.reports.questions.front().rows_max == 50);
  CHECK_FALSE(stage.reports.questions.front().kind.has_value());
  CHECK(stage.reports.questions.back().rows_max == 200);
  CHECK(stage.reports.questions.back().appid == "wx1");
}

TEST_CASE("what cannot be read now is said in a sentence, not as an empty page") {
  Stage stage;
  stage.reports.given = {boost::system::in_place_error,
                         admin::Refusal{.kind = admin::Refusal::Kind::unavailable,
                                        .sentence = "reading the ledger took too long"}};
  net::Response const response = stage.get("/api/packs");
  CHECK(response.status == 503);
  CHECK(json::parse(response.body).at("detail").as_string() == "reading the ledger took too long");
}
