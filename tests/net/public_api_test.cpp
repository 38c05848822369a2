#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "core/gate/signature.hpp"
#include "core/limits.hpp"
#include "net/api/routes.hpp"
#include "tests/support/gate_bench.hpp"
#include "tests/support/memory_event_store.hpp"
#include "tests/support/memory_ledger.hpp"

using namespace onetap;
using namespace onetap::tests;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr std::string_view service_token = "0123456789abcdef0123456789abcdef";
constexpr std::string_view referer = "https://servicewechat.com/wx0123456789abcdef/12/page-frame.html";

/// The public surface, without its sockets.
struct Surface : GateBench {
  explicit Surface(core::VerifyLevel level, core::RatePolicy address = {}, core::RatePolicy user = {},
                   bool send_openid = false)
      : GateBench(),
        gate(clock, sessions, user_keys, log,
             {.level = level,
              .origin = {.appids = std::vector<std::string>{std::string(appid)}},
              .service_tokens = {core::ServiceToken(std::string(service_token))},
              .address = address,
              .user = user,
              .everybody = {},
              .seed = {}}),
        phone([this](std::string_view) -> core::ConsumeService& { return consuming; }, decrypting, gate,
              keyring, {.send_openid = send_openid}),
        router(net::public_routes({.gate = gate,
                                   .load = load,
                                   .sessions = session_api,
                                   .phone = phone,
                                   .push = push_api,
                                   .quota =
                                       [this](std::string_view, core::Kind, auto const& user) {
                                         quota_user = user;
                                         return quota;
                                       },
                                   .keyring = keyring,
                                   .events = events_api})) {}

  struct Sent {
    std::string_view method = "POST";
    std::string target = "/phone/consume";
    std::string body = R"({"code":"a-code"})";
    std::vector<net::Header> headers{};
    std::string_view media_type = "application/json";
    std::string signed_target{};  // empty: as target
  };

  net::Response send(Sent const& sent) {
    std::vector<net::Header> headers = sent.headers;
    headers.push_back({.name = "Referer", .value = referer});
    if (!sent.media_type.empty()) headers.push_back({.name = "Content-Type", .value = sent.media_type});
    std::string_view const target = sent.target;
    auto const question = std::min(target.find('?'), target.size());
    net::Request request{.method = sent.method,
                         .target = target,
                         .path = target.substr(0, question),
                         .query = target.substr(std::min(question + 1, target.size())),
                         .headers = headers,
                         .body = {},
                         .remote_address = "192.0.2.7",
                         .signed_target = sent.signed_target.empty() ? sent.target : sent.signed_target,
                         .client_address = "192.0.2.7",
                         .limit_key = "\xc0\x00\x02\x07",
                         .request_id = "r-1",
                         .arrived = clock.steady()};
    net::Router::Match const match = router.match(request.method, request.path);
    REQUIRE(match.route != nullptr);
    if (auto refused = match.route->admit(request)) return *refused;
    request.body = sent.body;
    return finished(match.route->handle(request));
  }

  std::string sign(core::OpenedSession const& session, Sent const& sent, std::string const& nonce) {
    std::string const timestamp = std::to_string(core::unix_seconds(clock.wall()));
    std::string_view const key = session.signing_key.reveal();
    core::crypto::Digest const signature = core::crypto::hmac_sha256(
        {reinterpret_cast<unsigned char const*>(key.data()), key.size()},
        core::message_to_sign(sent.method, sent.target, timestamp, nonce, sent.body));
    return "ONETAP-HMAC-SHA256 session=\"" + std::string(session.token.reveal()) +
           "\",key=\"session\",timestamp=\"" + timestamp + "\",nonce_str=\"" + nonce + "\",signature=\"" +
           core::crypto::to_base64(signature) + "\"";
  }

  core::Quota quota;
  std::optional<core::CallerKey> quota_user;  // whose was asked for last
  MemoryLedger ledger;
  core::ClockSkew skew;
  core::CallControl calls{{.clock = clock, .wechat = wechat, .tokens = tokens, .skew = skew, .log = log},
                          std::string(appid)};
  core::ConsumeService consuming{{.clock = clock,
                                  .ledger = ledger,
                                  .sessions = disk,
                                  .wechat = wechat,
                                  .tokens = tokens,
                                  .calls = calls,
                                  .keyring = keyring,
                                  .log = log},
                                 std::chrono::seconds(3)};
  core::DecryptService decrypting{
      {.clock = clock, .ledger = ledger, .sessions = disk, .keyring = keyring, .log = log}};
  core::Gatekeeper gate;
  net::SessionApi session_api{[this](std::string_view) -> core::LoginService& { return logins; }, gate, clock,
                              [this](std::string_view, core::Kind, auto const&) { return quota; }};
  net::LoadMonitor load{clock, [] { return 0.0; }};
  MemoryEventStore event_store;
  core::EventService events{{.clock = clock, .store = event_store, .log = log}, {}};
  net::EventsApi events_api{events, gate, keyring, clock};
  net::PhoneApi phone;
  core::PushReceiver push{
      {.clock = clock, .log = log, .listener = [](std::string_view, core::PushEvent const&) {}}};
  net::PushApi push_api{push};
  net::Router router;
};

std::string code_of(net::Response const& response) {
  return std::string(json::parse(response.body).at("code").as_string());
}

std::string header_of(net::Response const& response, std::string_view name) {
  for (auto const& [field, value] : response.headers) {
    if (field == name) return value;
  }
  return {};
}

net::Header authorized(std::string const& value) { return {.name = "Authorization", .value = value}; }

}  // namespace

TEST_CASE("a bare request at level signature is told what would be right") {
  Surface surface(core::VerifyLevel::signature);
  net::Response const response = surface.send({});
  CHECK(response.status == 401);
  CHECK(code_of(response) == "SESSION_REQUIRED");
  CHECK(header_of(response, "WWW-Authenticate") == "ONETAP-HMAC-SHA256");
  CHECK(surface.log_has("ONETAP_VERIFY=origin"));
}

TEST_CASE("the media type is judged after the signature, the body after the media type") {
  Surface surface(core::VerifyLevel::signature);
  auto const session = surface.open_session("li");
  Surface::Sent sent{.body = "not JSON", .media_type = "text/plain"};
  CHECK(code_of(surface.send(sent)) == "SESSION_REQUIRED");
  std::string const authorization = surface.sign(session, sent, "nonce-0000000001");
  sent.headers = {authorized(authorization)};
  CHECK(code_of(surface.send(sent)) == "UNSUPPORTED_MEDIA_TYPE");
  sent.media_type = "application/json; charset=utf-8";
  std::string const signed_anew = surface.sign(session, sent, "nonce-0000000002");
  sent.headers = {authorized(signed_anew)};
  CHECK(code_of(surface.send(sent)) == "INVALID_REQUEST");
}

TEST_CASE("behind a proxy that strips a prefix, what the page sent is what is signed") {
  Surface surface(core::VerifyLevel::signature);
  auto const session = surface.open_session("li");
  Surface::Sent page{.target = "/onetap/phone/consume", .body = "{}"};
  std::string const authorization = surface.sign(session, page, "nonce-0000000001");
  Surface::Sent const stripped{
      .body = "{}", .headers = {authorized(authorization)}, .signed_target = "/onetap/phone/consume"};
  CHECK(code_of(surface.send(stripped)) == "INVALID_REQUEST");  // the gate let it in; code is missing
}

TEST_CASE("answers tell the limits and what is left of them") {
  Surface surface(core::VerifyLevel::origin, {.requests = 2}, {.requests = 60});
  Surface::Sent const ask{.method = "GET", .target = "/phone/quota", .body = "", .media_type = ""};
  net::Response const first = surface.send(ask);
  CHECK(first.status == 200);
  CHECK(header_of(first, "RateLimit-Policy") == R"("address";q=2;w=60)");
  CHECK(header_of(first, "RateLimit") == R"("address";r=1;t=30)");
  CHECK(surface.send(ask).status == 200);
  net::Response const refused = surface.send(ask);
  CHECK(refused.status == 429);
  CHECK(code_of(refused) == "RATE_LIMITED");
  CHECK(header_of(refused, "Retry-After") == "30");
  CHECK(header_of(refused, "RateLimit") == R"("address";r=0;t=60)");
}

TEST_CASE("a login answers with session, key, clock and quota") {
  Surface surface(core::VerifyLevel::signature);
  surface.quota = {.unavailable = core::NoQuota::service};
  surface.wechat.login_replies.push_back(
      ScriptedWeChat::says(R"({"openid":"o-li","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"));
  net::Response const response = surface.send({.target = "/session", .body = R"({"jsCode":"0a1b2c"})"});
  REQUIRE(response.status == 200);
  json::object const body = json::parse(response.body).as_object();
  CHECK(body.at("session").as_string().size() == 43);
  CHECK(core::crypto::from_base64(std::string_view(body.at("signingKey").as_string()))->size() == 32);
  CHECK(body.at("expiresIn").as_int64() == 7200);
  CHECK(body.at("serverTime").as_int64() == core::unix_seconds(surface.clock.wall()));
  json::value const& quick = body.at("quota").at("quick");
  CHECK_FALSE(quick.at("available").as_bool());
  CHECK(quick.at("reason").as_string() == "service");
  CHECK(quick.at("level").as_string() == "unknown");
  CHECK(quick.at("asOf").is_null());
  CHECK(surface.sessions.size() == 1);
}

TEST_CASE("a page cannot bring a login of its own making") {
  Surface surface(core::VerifyLevel::signature);
  std::string const login = R"({"openid":"o-li","sessionKey":"tiihtNczf5v6AKRyjwEUhQ=="})";
  CHECK(code_of(surface.send({.target = "/session", .body = login})) == "INVALID_REQUEST");
  CHECK(surface.sessions.size() == 0);
  std::string const token = "Bearer " + std::string(service_token);
  CHECK(surface.send({.target = "/session", .body = login, .headers = {authorized(token)}}).status == 200);
  CHECK(surface.sessions.size() == 1);
}

TEST_CASE("old base libraries need a session at every level") {
  Surface surface(core::VerifyLevel::none);
  Surface::Sent const sent{.target = "/phone/decrypt", .body = R"({"encryptedData":"AAAA","iv":"AAAA"})"};
  CHECK(code_of(surface.send(sent)) == "SESSION_REQUIRED");
  auto const session = surface.open_session("li");
  Surface::Sent with_session = sent;
  std::string const bearer = "Bearer " + std::string(session.token.reveal());
  with_session.headers = {authorized(bearer)};
  CHECK(code_of(surface.send(with_session)) == "DECRYPT_FAILED");
}

TEST_CASE("a backend names the user, who is limited like any other") {
  Surface surface(core::VerifyLevel::signature, {.requests = 1}, {.requests = 1});
  std::string const token = "Bearer " + std::string(service_token);
  Surface::Sent const sent{.body = R"({"code":"a-code","openid":"o-li","appid":"wx0123456789abcdef"})",
                           .headers = {authorized(token)}};
  surface.hold_token();
  surface.wechat.phone_replies.push_back(
      ScriptedWeChat::says(R"({"errcode":40029,"errmsg":"invalid code"})"));
  CHECK(code_of(surface.send(sent)) == "CODE_INVALID");
  net::Response const limited = surface.send(sent);
  CHECK(code_of(limited) == "RATE_LIMITED");
  CHECK(json::parse(limited.body).at("retry").as_string() == "same_code");
  CHECK(json::parse(limited.body).at("charged").as_string() == "unknown");
  Surface::Sent other = sent;
  other.body = R"({"code":"a-code","openid":"o-wang","appid":"wxffffffffffffffff"})";
  CHECK(code_of(surface.send(other)) == "INVALID_REQUEST");
}

TEST_CASE("a backend that names a user is told that user's limit, and no other") {
  Surface surface(core::VerifyLevel::signature, {.requests = 1}, {.requests = 2});
  std::string const token = "Bearer " + std::string(service_token);
  auto const send = [&](std::string const& target, std::string const& body) {
    return surface.send({.target = target, .body = body, .headers = {authorized(token)}});
  };
  surface.hold_token();
  surface.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
  net::Response const consumed = send("/phone/consume", R"({"code":"a-code","openid":"o-li"})");
  CHECK(header_of(consumed, "RateLimit-Policy") == R"("user";q=2;w=60)");
  CHECK(header_of(consumed, "RateLimit") == R"("user";r=1;t=30)");
  std::string const blob = R"({"encryptedData":"AAAA","iv":"AAAA","openid":"o-li"})";
  CHECK(header_of(send("/phone/decrypt", blob), "RateLimit") == R"("user";r=0;t=60)");
  for (net::Response const& limited :
       {send("/phone/decrypt", blob), send("/phone/consume", R"({"code":"a-code","openid":"o-li"})")}) {
    CHECK(limited.status == 429);
    CHECK(header_of(limited, "RateLimit") == R"("user";r=0;t=60)");
    CHECK(header_of(limited, "Retry-After") == "30");
  }
  surface.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
  net::Response const of_nobody = send("/phone/consume", R"({"code":"another-code"})");
  CHECK(code_of(of_nobody) == "CODE_INVALID");
  CHECK(header_of(of_nobody, "RateLimit").empty());
}

TEST_CASE("who comes too often himself is told his own limit") {
  Surface surface(core::VerifyLevel::session, {.requests = 9}, {.requests = 1});
  auto const session = surface.open_session("li");
  std::string const bearer = "Bearer " + std::string(session.token.reveal());
  Surface::Sent const ask{.method = "GET",
                          .target = "/phone/quota",
                          .body = "",
                          .headers = {authorized(bearer)},
                          .media_type = ""};
  CHECK(surface.send(ask).status == 200);
  net::Response const limited = surface.send(ask);
  CHECK(limited.status == 429);
  CHECK(header_of(limited, "RateLimit-Policy") == R"("address";q=9;w=60, "user";q=1;w=60)");
  CHECK(header_of(limited, "RateLimit") == R"("address";r=9;t=0, "user";r=0;t=60)");
}

TEST_CASE("a backend speaks for a mini program that is served here, on each of its routes") {
  Surface surface(core::VerifyLevel::signature);
  std::string const token = "Bearer " + std::string(service_token);
  struct Row {
    std::string target;
    std::string members;
  };
  for (Row const& row : {Row{"/session", R"("jsCode":"0a1b2c")"},
                         Row{"/session", R"("openid":"o-li","sessionKey":"tiihtNczf5v6AKRyjwEUhQ==")"},
                         Row{"/phone/consume", R"("code":"a-code")"},
                         Row{"/phone/decrypt", R"("encryptedData":"AAAA","iv":"AAAA","openid":"o-li")"}}) {
    for (std::string const appid : {R"("wxffffffffffffffff")", R"("")", "7", "null", "[]"}) {
      CAPTURE(row.members);
      CAPTURE(appid);
      net::Response const response = surface.send({.target = row.target,
                                                   .body = "{" + row.members + R"(,"appid":)" + appid + "}",
                                                   .headers = {authorized(token)}});
      CHECK(code_of(response) == "INVALID_REQUEST");
      CHECK(response.body.find("appid") != std::string::npos);
    }
  }
  CHECK(surface.sessions.size() == 0);
  CHECK(surface.wechat.logins_asked.empty());
  std::string const login =
      R"({"openid":"o-li","sessionKey":"tiihtNczf5v6AKRyjwEUhQ==","appid":"wx0123456789abcdef"})";
  CHECK(surface.send({.target = "/session", .body = login, .headers = {authorized(token)}}).status == 200);
}

TEST_CASE("encryptedData and iv come both and filled, or not at all") {
  Surface surface(core::VerifyLevel::origin);
  for (std::string const beside :
       {R"("encryptedData":"")", R"("iv":"")", R"("encryptedData":"AAAA")", R"("iv":"AAAA")",
        R"("encryptedData":"","iv":"")", R"("encryptedData":"AAAA","iv":"")",
        R"("encryptedData":"","iv":"AAAA")", R"("encryptedData":null,"iv":null)"}) {
    net::Response const response = surface.send({.body = R"({"code":"a-code",)" + beside + "}"});
    CHECK_MESSAGE(code_of(response) == "INVALID_REQUEST", beside);
    CHECK_MESSAGE(response.body.find("encryptedData") != std::string::npos, beside);
    CHECK(json::parse(response.body).at("charged").as_string() == "unknown");
  }
}

TEST_CASE("an ill-formed Idempotency-Key is refused wherever a body is read") {
  Surface surface(core::VerifyLevel::session);
  auto const session = surface.open_session("li");
  std::string const bearer = "Bearer " + std::string(session.token.reveal());
  struct Row {
    std::string target;
    std::string body;
  };
  for (Row const& row :
       {Row{"/session", R"({"jsCode":"0a1b2c"})"}, Row{"/phone/consume", R"({"code":"a-code"})"},
        Row{"/phone/decrypt", R"({"encryptedData":"AAAA","iv":"AAAA"})"}}) {
    for (std::string const key : {"", "fifteen-bytes-x", "sixteen bytes it"}) {
      net::Response const response =
          surface.send({.target = row.target,
                        .body = row.body,
                        .headers = {authorized(bearer), {.name = "Idempotency-Key", .value = key}}});
      CHECK_MESSAGE(code_of(response) == "INVALID_REQUEST", row.target, " ", key);
    }
  }
  CHECK(surface.wechat.logins_asked.empty());
}

TEST_CASE("WeChat is told whose code it is, where that is wanted and known") {
  auto const openids_told = [](bool send_openid) {
    Surface surface(core::VerifyLevel::session, {.requests = 10}, {.requests = 10}, send_openid);
    auto const session = surface.open_session("li");
    surface.hold_token();
    std::string const of_session = "Bearer " + std::string(session.token.reveal());
    std::string const of_backend = "Bearer " + std::string(service_token);
    auto const consume = [&](std::string const& body, std::string const& authorization) {
      surface.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
      CHECK(code_of(surface.send({.body = body, .headers = {authorized(authorization)}})) == "CODE_INVALID");
    };
    consume(R"({"code":"code-1","openid":"o-wang"})", of_session);
    consume(R"({"code":"code-2","openid":"o-wang"})", of_backend);
    consume(R"({"code":"code-3"})", of_backend);
    return surface.wechat.openids_sent;
  };
  CHECK(openids_told(true) == std::vector<std::string>{"li", "o-wang", ""});
  CHECK(openids_told(false) == std::vector<std::string>{"", "", ""});
}

TEST_CASE("under load logins are refused first and codes last, before anything is done") {
  Surface surface(core::VerifyLevel::origin, {.requests = 1});
  auto const overload = [&](double queue_fill) {
    for (int look = 0; look < 3; ++look) surface.load.take({}, queue_fill);
  };
  overload(0.6);
  REQUIRE(surface.load.level() == net::Shedding::logins);
  net::Response const login = surface.send({.target = "/session", .body = R"({"jsCode":"0a1b2c"})"});
  CHECK(login.status == 503);
  CHECK(code_of(login) == "SERVER_BUSY");
  CHECK(header_of(login, "Retry-After") == "2");
  CHECK(code_of(surface.send({.body = "{}"})) ==
        "INVALID_REQUEST");  // the address's one request is still there
  overload(1.0);
  REQUIRE(surface.load.level() == net::Shedding::all);
  CHECK(code_of(surface.send({.body = "{}"})) == "SERVER_BUSY");
  CHECK(json::parse(surface.send({.body = "{}"}).body).at("retry").as_string() == "same_code");
}

TEST_CASE("a kind that there is not is refused") {
  Surface surface(core::VerifyLevel::origin);
  for (std::string const query : {"?kind=slow", "?kind=", "?x=1&kind=quick2"}) {
    Surface::Sent const ask{.method = "GET", .target = "/phone/quota" + query, .body = "", .media_type = ""};
    CHECK_MESSAGE(code_of(surface.send(ask)) == "INVALID_REQUEST", query);
  }
  Surface::Sent const ask{
      .method = "GET", .target = "/phone/quota?x=1&kind=realtime", .body = "", .media_type = ""};
  CHECK(json::parse(surface.send(ask).body).at("kind").as_string() == "realtime");
}

TEST_CASE("a backend asks for the quota of the user whom it names; a page cannot name one") {
  Surface surface(core::VerifyLevel::origin);
  auto const ask = [&](std::string const& query, bool is_backend) {
    Surface::Sent sent{.method = "GET", .target = "/phone/quota" + query, .body = "", .media_type = ""};
    std::string const token = "Bearer " + std::string(service_token);
    if (is_backend) sent.headers = {authorized(token)};
    return surface.send(sent);
  };
  CHECK(ask("?openid=o-li", true).status == 200);
  CHECK(surface.quota_user == surface.keyring.user_key(Surface::appid, "o-li"));
  CHECK(ask("", true).status == 200);
  CHECK_FALSE(surface.quota_user.has_value());
  CHECK(code_of(ask("?openid=", true)) == "INVALID_REQUEST");
  CHECK(ask("?openid=o-li", false).status == 200);
  CHECK_FALSE(surface.quota_user.has_value());
}

namespace {

/// POST /phone/events of these events, each the members of its object.
Surface::Sent telling(std::vector<std::string> const& events) {
  std::string body;
  for (std::string const& event : events) body += (body.empty() ? "{" : ",{") + event + "}";
  return {.target = "/phone/events", .body = R"({"events":[)" + body + "]}"};
}

std::string event(Surface const& surface, std::string const& id, std::string const& type, core::seconds ago,
                  std::string const& more = "") {
  return R"("id":")" + id + R"(","type":")" + type + R"(","at":)" +
         std::to_string(core::unix_seconds(surface.clock.wall() - ago)) + more;
}

constexpr char const* id_1 = "event-1-of-a-page";
constexpr char const* id_2 = "event-2-of-a-page";

}  // namespace

TEST_CASE("a page's events are taken once, with everything that they say") {
  Surface surface(core::VerifyLevel::origin);
  std::string const digest = core::crypto::to_hex(core::crypto::sha256("a-code"));
  std::string const more = R"(,"kind":"realtime","errno":1400001,"scene":"checkout","codeDigest":")" +
                           digest + R"(","new":{"a":1})";
  auto const sent = telling({event(surface, id_1, "issued", 9s, more), event(surface, id_2, "tap", 10s)});
  net::Response const response = surface.send(sent);
  CHECK(response.status == 202);
  CHECK(response.body == R"({"accepted":2,"duplicates":0})");
  REQUIRE(surface.event_store.told.size() == 1);
  core::PageEvents const& told = surface.event_store.told.front();
  CHECK(told.appid == GateBench::appid);
  CHECK(told.client_env == core::ClientEnv::release);
  CHECK(told.received == surface.clock.wall());
  core::PageEvent const& issued = told.events.front();
  CHECK(issued.id == id_1);
  CHECK(issued.type == core::EventType::issued);
  CHECK(issued.kind == core::Kind::realtime);
  CHECK(issued.errno_told == 1400001);
  CHECK(issued.scene == "checkout");
  CHECK(issued.at == std::chrono::floor<core::seconds>(surface.clock.wall()) - 9s);
  CHECK(issued.code_key == surface.keyring.code_key(GateBench::appid, core::Code("a-code")));
  core::PageEvent const& tap = told.events.back();
  CHECK(tap.kind == core::Kind::quick);
  CHECK_FALSE(tap.errno_told.has_value());
  CHECK_FALSE(tap.code_key.has_value());
  CHECK(tap.scene.empty());
  CHECK(surface.send(sent).body == R"({"accepted":0,"duplicates":2})");
}

TEST_CASE("what is wrong with an event is named, and then none of them is taken") {
  Surface surface(core::VerifyLevel::origin);
  std::string const good = event(surface, id_1, "tap", 0s);
  auto const with = [&](std::string const& more) { return event(surface, id_2, "tap", 0s, "," + more); };
  struct Row {
    std::string event;
    std::string detail;
  };
  for (Row const& row : std::vector<Row>{
           {R"("type":"tap","at":1)", "events[1].id is missing"},
           {event(surface, "fifteen-letters", "tap", 0s), "events[1].id must be 16 to 64"},
           {event(surface, std::string(65, 'a'), "tap", 0s), "events[1].id must be 16 to 64"},
           {event(surface, "event-2-of-a-page!", "tap", 0s), "events[1].id must be 16 to 64"},
           {event(surface, id_2, "consumed", 0s), "events[1].type must be tap, issued"},
           {event(surface, id_2, "tap", 7 * 24h + 1s), "events[1].at must be unix seconds, at most 7 days"},
           {event(surface, id_2, "tap", -5min - 1s), "events[1].at must be unix seconds"},
           {R"("id":"event-2-of-a-page","type":"tap","at":9223372036854775807)", "events[1].at must be unix"},
           {R"("id":"event-2-of-a-page","type":"tap","at":"now")", "events[1].at must be an integer"},
           {R"("id":"event-2-of-a-page","type":"tap")", "events[1].at is missing"},
           {with(R"("kind":"slow")"), "events[1].kind must be quick or realtime"},
           {with(R"("errno":"1")"), "events[1].errno must be an integer"},
           {with(R"("errno":null)"), "events[1].errno must be an integer"},
           {with(R"("scene":"a b")"), "events[1].scene must be 1 to 32"},
           {with(R"("codeDigest":"00")"), "events[1].codeDigest must be"},
           {with(R"("codeDigest":")" + std::string(64, 'A') + "\""), "events[1].codeDigest must be"}}) {
    CAPTURE(row.event);
    net::Response const response = surface.send(telling({good, row.event}));
    CHECK(code_of(response) == "INVALID_REQUEST");
    CHECK_MESSAGE(response.body.find(row.detail) != std::string::npos, response.body);
  }
  for (auto const& [body, detail] :
       {std::pair("{}", "events is missing"), std::pair(R"({"events":{}})", "events must be an array"),
        std::pair(R"({"events":[7]})", "events[0] must be an object"), std::pair("[]", "not_an_object")}) {
    CAPTURE(body);
    net::Response const response = surface.send({.target = "/phone/events", .body = body});
    CHECK(code_of(response) == "INVALID_REQUEST");
    CHECK_MESSAGE(response.body.find(detail) != std::string::npos, response.body);
  }
  CHECK(surface.event_store.told.empty());
}

TEST_CASE("at most 50 events come at once, as old as a week and as young as five minutes hence") {
  Surface surface(core::VerifyLevel::origin);
  std::vector<std::string> events(50);
  for (std::size_t i = 0; i < events.size(); ++i)
    events[i] = event(surface, std::string(16, 'a') + std::to_string(i), "tap", i % 2 == 0 ? 168h : -5min);
  CHECK(surface.send(telling(events)).body == R"({"accepted":50,"duplicates":0})");
  events.push_back(event(surface, id_1, "tap", 0s));
  net::Response const response = surface.send(telling(events));
  CHECK(code_of(response) == "INVALID_REQUEST");
  CHECK(response.body.find("events must hold at most 50") != std::string::npos);
  CHECK(surface.send(telling({})).body == R"({"accepted":0,"duplicates":0})");
}

TEST_CASE("events are taken from whom ONETAP_VERIFY lets in, and a backend is not a page") {
  Surface surface(core::VerifyLevel::signature);
  Surface::Sent sent = telling({event(surface, id_1, "tap", 0s)});
  CHECK(code_of(surface.send(sent)) == "SESSION_REQUIRED");
  std::string const backend = "Bearer " + std::string(service_token);
  sent.headers = {authorized(backend)};
  CHECK(surface.send(sent).status == 401);
  CHECK(surface.event_store.told.empty());
  auto const session = surface.open_session("li");
  std::string const authorization = surface.sign(session, sent, "nonce-0000000001");
  sent.headers = {authorized(authorization)};
  CHECK(surface.send(sent).status == 202);
  CHECK(code_of(surface.send(sent)) == "NONCE_REPLAYED");
}

TEST_CASE("one user's events are bounded, whatever sessions bring them, and cost no code its turn") {
  Surface surface(core::VerifyLevel::session);
  int number = 0;
  auto const tell = [&](core::OpenedSession const& session) {
    std::vector<std::string> events(50);
    for (std::string& each : events)
      each = event(surface, std::string(16, 'a') + std::to_string(++number), "tap", 0s);
    Surface::Sent sent = telling(events);
    std::string const bearer = "Bearer " + std::string(session.token.reveal());
    sent.headers = {authorized(bearer)};
    return surface.send(sent);
  };
  auto const first = surface.open_session("li");
  auto const second = surface.open_session("li");
  std::size_t const requests = core::limits::events_per_user_per_minute / 50;
  for (std::size_t i = 0; i < requests; ++i) CHECK(tell(i % 2 == 0 ? first : second).status == 202);
  net::Response const limited = tell(second);
  CHECK(code_of(limited) == "RATE_LIMITED");
  CHECK(header_of(limited, "Retry-After") == "20");
  CHECK(tell(surface.open_session("wang")).status == 202);
}

TEST_CASE("under load events are turned away while codes are still taken") {
  Surface surface(core::VerifyLevel::origin);
  for (int look = 0; look < 3; ++look) surface.load.take({}, core::limits::queue_fill_shedding_logins);
  CHECK(code_of(surface.send(telling({event(surface, id_1, "tap", 0s)}))) == "SERVER_BUSY");
  surface.hold_token();
  surface.wechat.phone_replies.push_back(ScriptedWeChat::says(R"({"errcode":40029})"));
  CHECK(code_of(surface.send({})) == "CODE_INVALID");
}
