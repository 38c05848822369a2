#include "core/gate/gatekeeper.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/support/gate_bench.hpp"

using namespace onetap;
using namespace onetap::core;
using namespace onetap::tests;
using namespace std::chrono_literals;

namespace {

using enum VerifyLevel;
using enum RouteAccess::Session;

constexpr RouteAccess consume{.session = by_level, .spends_code = true};
constexpr RouteAccess decrypt{.session = always, .spends_code = true};
constexpr RouteAccess quota{.session = by_level};
constexpr RouteAccess events{.session = by_level, .takes_backend = false};
constexpr RouteAccess login{.session = never};

constexpr std::string_view service_token = "a-service-token-of-the-business";
constexpr std::string_view good_referer = "https://servicewechat.com/wx0123456789abcdef/7/page-frame.html";
constexpr std::string_view other_appid = "wxfedcba9876543210";
constexpr std::string_view other_referer = "https://servicewechat.com/wxfedcba9876543210/7/page-frame.html";

std::string base64(Digest const& digest) { return crypto::to_base64(digest); }

std::string name_of(Problem const& problem) { return std::string(kind_of(problem.code).name); }

/// A request as it comes in; owns what GateRequest only looks at.
struct Sent {
  std::string method = "POST";
  std::string target = "/phone/consume";
  std::string signed_target = "/phone/consume";
  std::string body = R"({"code":"0a1b2c"})";
  std::string address = "\x01\x02\x03\x04";
  std::optional<std::string> referer = std::string(good_referer);
  bool referer_repeated = false;
  std::string authorization;
  bool authorization_repeated = false;
  mutable Authorization read{};  // request()'s

  [[nodiscard]] GateRequest request() const {
    read = parse_authorization(authorization);
    return {.method = method,
            .target = target,
            .signed_target = signed_target,
            .body = body,
            .address = address,
            .referer = referer,
            .referer_repeated = referer_repeated,
            .authorization = read,
            .authorization_repeated = authorization_repeated,
            .request_id = "r-1"};
  }
};

/// The page's half of the signed form, written down apart from the server's.
struct Page {
  std::string session;
  std::string key_name = "session";
  std::string key;  // bytes
  std::int64_t timestamp = 1'790'000'000;
  int nonces = 0;

  [[nodiscard]] std::string authorization(Sent const& sent, std::string const& nonce) const {
    std::string const message = sent.method + "\n" + sent.signed_target + "\n" + std::to_string(timestamp) +
                                "\n" + nonce + "\n" + sent.body + "\n";
    auto const* const bytes = reinterpret_cast<unsigned char const*>(key.data());
    return R"(ONETAP-HMAC-SHA256 session=")" + session + R"(",key=")" + key_name + R"(",timestamp=")" +
           std::to_string(timestamp) + R"(",nonce_str=")" + nonce + R"(",signature=")" +
           base64(crypto::hmac_sha256({bytes, key.size()}, message)) + "\"";
  }
  [[nodiscard]] Sent sign(Sent sent = {}) {
    sent.authorization = authorization(sent, "nonce-of-the-page-" + std::to_string(nonces++));
    return sent;
  }
};

struct Bench : GateBench {
  Gatekeeper::Settings settings;
  std::unique_ptr<Gatekeeper> gate;

  explicit Bench(VerifyLevel level = signature) {
    settings.level = level;
    settings.origin = {.appids = std::vector{std::string(appid)}};
    settings.service_tokens = {ServiceToken("an older one"), ServiceToken(std::string(service_token))};
    open_gate();
  }
  void open_gate() { gate = std::make_unique<Gatekeeper>(clock, sessions, user_keys, log, settings); }

  Page page(std::string const& openid = "an-openid") {
    OpenedSession const opened = open_session(openid);
    return {.session = std::string(opened.token.reveal()), .key = std::string(opened.signing_key.reveal())};
  }

  /// Through both halves of the gate, as the server does.
  Result<Caller, RefusedCaller> pass(Sent const& sent, RouteAccess access = consume) {
    if (auto refused = gate->admit(sent.request(), access)) return RefusedCaller{.problem = *refused};
    return finished(gate->authenticate(sent.request(), access));
  }
  Result<Caller, Problem> call(Sent const& sent, RouteAccess access = consume) {
    auto passed = pass(sent, access);
    if (!passed) return passed.error().problem;
    return *std::move(passed);
  }

  /// "anonymous", "user", "backend", or the problem's name.
  std::string outcome(Sent const& sent, RouteAccess access = consume) {
    auto const called = call(sent, access);
    if (!called) return name_of(called.error());
    if (called->is_backend) return called->session ? "backend with a session" : "backend";
    return called->session ? "user" : "anonymous";
  }

  Problem problem(Sent const& sent, RouteAccess access = consume) {
    auto const called = call(sent, access);
    REQUIRE_FALSE(called.has_value());
    return called.error();
  }

  [[nodiscard]] std::string field(std::string const& name, Sent const& sent, RouteAccess access,
                                  std::optional<CallerKey> const& caller = std::nullopt) const {
    for (auto const& [field_name, value] : gate->rate_fields(sent.request(), access, caller)) {
      if (field_name == name) return value;
    }
    return "none";
  }
};

Sent with(std::string authorization) { return {.authorization = std::move(authorization)}; }
Sent bearer(std::string_view token) { return with("Bearer " + std::string(token)); }

Sent from(std::optional<std::string> referer) { return {.referer = std::move(referer)}; }

Sent flipped(Sent sent) {
  char& letter = sent.authorization[sent.authorization.size() - 20];  // within the signature
  letter = letter == 'A' ? 'B' : 'A';
  return sent;
}

}  // namespace

TEST_CASE("what a caller shows, what the route asks for and the level decide together") {
  constexpr std::size_t shows = 9;
  struct Row {
    VerifyLevel level;
    RouteAccess::Session route;
    std::array<std::string_view, shows> outcome;
  };
  constexpr std::string_view nobody = "anonymous";
  constexpr std::string_view user = "user";
  constexpr std::string_view backend = "backend";
  constexpr std::string_view who = "SESSION_REQUIRED";
  constexpr std::string_view forged = "SIGNATURE_INVALID";
  constexpr std::string_view bad = "INVALID_REQUEST";
  std::array<std::string_view, shows> const shown{
      "nothing",   "another scheme", "a session",   "an unknown session", "a signature",
      "a forgery", "malformed",      "two headers", "the service token"};
  std::vector<Row> const rows{
      // nothing, another scheme, session, unknown, signature, forgery, malformed, two headers, service token
      {none, by_level, {nobody, nobody, user, who, user, forged, forged, bad, backend}},
      {origin, by_level, {nobody, nobody, user, who, user, forged, forged, bad, backend}},
      {session, by_level, {who, who, user, who, user, forged, forged, bad, backend}},
      {signature, by_level, {who, who, forged, forged, user, forged, forged, bad, backend}},
      {none, always, {who, who, user, who, user, forged, forged, bad, backend}},
      {origin, always, {who, who, user, who, user, forged, forged, bad, backend}},
      {session, always, {who, who, user, who, user, forged, forged, bad, backend}},
      {signature, always, {who, who, forged, forged, user, forged, forged, bad, backend}},
      {none, never, {nobody, nobody, nobody, nobody, nobody, nobody, nobody, bad, backend}},
      {origin, never, {nobody, nobody, nobody, nobody, nobody, nobody, nobody, bad, backend}},
      {session, never, {nobody, nobody, nobody, nobody, nobody, nobody, nobody, bad, backend}},
      {signature, never, {nobody, nobody, nobody, nobody, nobody, nobody, nobody, bad, backend}},
  };
  for (Row const& row : rows) {
    Bench bench(row.level);
    Page page = bench.page();
    Sent twice = page.sign();
    twice.authorization_repeated = true;
    std::array<Sent, shows> const sent{Sent{},
                                       with("Basic dXNlcjpwYXNz"),
                                       bearer(page.session),
                                       bearer(std::string(43, 'x')),
                                       page.sign(),
                                       flipped(page.sign()),
                                       with("ONETAP-HMAC-SHA256 session=\"x\""),
                                       twice,
                                       bearer(service_token)};
    for (std::size_t i = 0; i < shows; ++i) {
      CAPTURE(static_cast<int>(row.level));
      CAPTURE(static_cast<int>(row.route));
      CAPTURE(shown[i]);
      CHECK(bench.outcome(sent[i], {.session = row.route}) == row.outcome[i]);
      if (row.outcome[i] != backend) continue;
      std::string_view const as_a_page =
          row.outcome[3];  // where no backend is taken, it is an unknown session
      CHECK(bench.outcome(sent[i], {.session = row.route, .takes_backend = false}) == as_a_page);
    }
  }
}

TEST_CASE("of every level but none, a request comes from a page of ours") {
  for (VerifyLevel const level : {origin, session, signature}) {
    for (RouteAccess const access : {consume, decrypt, quota, events, login}) {
      Bench bench(level);
      Page page = bench.page();
      for (Sent const& sent :
           {from(std::nullopt), from("https://servicewechat.com/wxfedcba9876543210/7/page-frame.html"),
            from("https://servicewechat.com.evil.example/wx0123456789abcdef/7/page-frame.html"), from("")}) {
        CHECK(bench.outcome(page.sign(sent), access) == "ORIGIN_FORBIDDEN");
      }
      Sent twice;
      twice.referer_repeated = true;
      CHECK(bench.outcome(page.sign(twice), access) == "ORIGIN_FORBIDDEN");
    }
  }
  CHECK(Bench(none).outcome(from(std::nullopt)) == "anonymous");
}

TEST_CASE("where the page runs is read from the Referer, and nothing is believed that it does not say") {
  Bench bench(none);
  CHECK(bench.call(from("https://servicewechat.com/wx0123456789abcdef/0/page-frame.html"))->client_env ==
        ClientEnv::preview);
  CHECK(bench.call(Sent{})->client_env == ClientEnv::release);
  CHECK(bench.call(from(std::nullopt))->client_env == ClientEnv::unknown);
  CHECK(bench.call(from("https://example.com/"))->client_env == ClientEnv::unknown);
  CHECK(bench.call(bearer(service_token))->client_env == ClientEnv::backend);
}

TEST_CASE("the caller is the user whose session it is") {
  for (VerifyLevel const level : {none, origin, session}) {
    Bench bench(level);
    Page const page = bench.page("the-user");
    CHECK(bench.call(bearer(page.session))->session->user == bench.user("the-user"));
  }
  Bench bench;
  Page page = bench.page("the-user");
  auto const called = bench.call(page.sign());
  REQUIRE(called.has_value());
  CHECK(called->session->user == bench.user("the-user"));
}

TEST_CASE("the business's backend needs no Referer, at any level, with either of its tokens") {
  for (VerifyLevel const level : {none, origin, session, signature}) {
    Bench bench(level);
    for (std::string_view const token : {service_token, std::string_view("an older one")}) {
      Sent sent = bearer(token);
      sent.referer.reset();
      for (RouteAccess const access : {consume, decrypt, quota, login})
        CHECK(bench.outcome(sent, access) == "backend");
    }
  }
}

TEST_CASE("what is nearly a service token is none") {
  Bench bench(session);
  for (std::string const& token :
       {std::string("a-service-token-of-the-busines"), std::string("a-service-token-of-the-business "),
        std::string("A-service-token-of-the-business"), std::string("a-service-token-of-the-businesss"),
        std::string("an older one,a-service-token-of-the-business")}) {
    CAPTURE(token);
    CHECK(bench.outcome(bearer(token)) == "SESSION_REQUIRED");
  }
  bench.settings.service_tokens.clear();
  bench.open_gate();
  CHECK(bench.outcome(bearer(service_token)) == "SESSION_REQUIRED");
  CHECK(bench.outcome(with("Bearer ")) == "SIGNATURE_INVALID");
}

TEST_CASE("a signature covers method, target, timestamp, nonce and body") {
  Bench bench;
  Page page = bench.page();
  Sent const good = page.sign();
  std::vector<Sent> forgeries(6, good);
  forgeries[0].method = "PUT";
  forgeries[1].target = forgeries[1].signed_target = "/phone/consume?kind=realtime";
  forgeries[2].body += ' ';
  forgeries[3].body.clear();
  auto& with_timestamp = forgeries[4].authorization;
  with_timestamp.replace(with_timestamp.find("1790000000"), 10, "1790000001");
  auto& with_nonce = forgeries[5].authorization;
  with_nonce.replace(with_nonce.find("nonce-of-the-page"), 5, "Nonce");
  for (Sent const& forgery : forgeries) CHECK(bench.outcome(forgery) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(good) == "user");
}

TEST_CASE("one user's key signs nothing for another's session") {
  Bench bench;
  Page mine = bench.page("me");
  Page const theirs = bench.page("them");
  mine.session = theirs.session;
  CHECK(bench.outcome(mine.sign()) == "SIGNATURE_INVALID");
}

TEST_CASE("behind a proxy that strips a prefix, what the page signed fits, and what came does too") {
  Bench bench;
  Page page = bench.page();
  Sent as_sent = page.sign({.target = "/phone/consume", .signed_target = "/onetap/phone/consume"});
  CHECK(bench.outcome(as_sent) == "user");
  Sent as_came = page.sign({.target = "/phone/consume", .signed_target = "/phone/consume"});
  as_came.signed_target = "/onetap/phone/consume";
  CHECK(bench.outcome(as_came) == "user");
  Sent of_another = page.sign({.target = "/phone/quota", .signed_target = "/phone/quota"});
  of_another.target = "/phone/consume";
  of_another.signed_target = "/onetap/phone/consume";
  CHECK(bench.outcome(of_another) == "SIGNATURE_INVALID");
}

TEST_CASE("a clock that is more than 300 seconds off is told the server's time") {
  Bench bench;
  Page page = bench.page();
  for (std::int64_t const off : {-300, 300}) {
    page.timestamp = 1'790'000'000 + off;
    CHECK(bench.outcome(page.sign()) == "user");
  }
  for (std::int64_t const off : {-301, 301}) {
    page.timestamp = 1'790'000'000 + off;
    Problem const problem = bench.problem(page.sign());
    CHECK(problem.code == ProblemCode::timestamp_skewed);
    CHECK(problem.server_time == bench.clock.wall());
  }
  page.session = std::string(43, 'x');
  CHECK(name_of(bench.problem(page.sign())) == "SESSION_REQUIRED");  // a stranger is told nothing of it
}

TEST_CASE("a signed request is good once") {
  Bench bench;
  Page page = bench.page();
  Sent const sent = page.sign();
  CHECK(bench.outcome(sent) == "user");
  CHECK(bench.outcome(sent) == "NONCE_REPLAYED");
  bench.clock.advance(300s);
  CHECK(bench.outcome(sent) == "NONCE_REPLAYED");
  bench.clock.advance(1s);
  CHECK(bench.outcome(sent) == "TIMESTAMP_SKEWED");
}

TEST_CASE("of one request that comes twice at the same time, one is answered") {
  Bench bench;
  bench.hold_token();
  Page page = bench.page();
  page.key_name = "wechat:10";
  page.key = crypto::from_base64("VI6BpyrK9XH4i4AIGe86tg==").value();
  Sent const sent = page.sign();
  bench.wechat.hold_answers = true;
  bench.wechat.user_key_replies.push_back(ScriptedWeChat::says(
      R"({"key_info_list":[{"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":3600}]})"));
  auto first = start(bench.loop, bench.gate->authenticate(sent.request(), consume));
  auto second = start(bench.loop, bench.gate->authenticate(sent.request(), consume));
  bench.clock.settle();
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(first.done());
  REQUIRE(second.done());
  CHECK(first.value().has_value() != second.value().has_value());
}

TEST_CASE("a forgery spends no nonce") {
  Bench bench;
  Page page = bench.page();
  Sent const sent = page.sign();
  CHECK(bench.outcome(flipped(sent)) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(sent) == "user");
}

TEST_CASE("who cannot prove himself is sent to log in, also with a code in his hands") {
  Bench bench;
  Page page = bench.page();
  for (RouteAccess const access : {consume, decrypt, quota}) {
    for (Sent const& sent : {Sent{}, flipped(page.sign())}) {
      Problem const problem = bench.problem(sent, access);
      CHECK(problem.retry.value_or(kind_of(problem.code).retry) == Retry::login);
    }
  }
}

TEST_CASE("a nonce is spent in its own session only") {
  Bench bench;
  Page one = bench.page("one");
  Page other = bench.page("other");
  CHECK(bench.outcome(one.sign()) == "user");
  CHECK(bench.outcome(other.sign()) == "user");  // the same nonce
}

TEST_CASE("a session that has spent all its nonces waits until one is forgotten, and its code stays good") {
  Bench bench;
  Page page = bench.page();
  for (std::size_t i = 0; i < limits::nonces_per_session_max; ++i) {
    if (i == 1) {
      bench.clock.advance(10s);
      page.timestamp += 10;
    }
    REQUIRE(bench.call(page.sign()).has_value());
  }
  Problem const problem = bench.problem(page.sign(), consume);
  CHECK(problem.code == ProblemCode::rate_limited);
  CHECK(problem.retry == Retry::same_code);
  CHECK(problem.retry_after == 291s);  // the first one's timestamp + 300 s, ten of them gone
  CHECK_FALSE(bench.problem(page.sign(), quota).retry.has_value());
  bench.clock.advance(290s);
  page.timestamp += 290;
  CHECK(bench.problem(page.sign()).retry_after == 1s);
  bench.clock.advance(1s);
  CHECK(bench.outcome(page.sign()) == "user");
  CHECK(bench.outcome(page.sign()) == "RATE_LIMITED");
}

TEST_CASE("nothing but codes gets at the last quarter of a session's nonces") {
  Bench bench;
  Page page = bench.page();
  std::size_t const kept = limits::nonces_kept_for_codes;
  for (std::size_t i = 0; i < limits::nonces_per_session_max - kept; ++i)
    REQUIRE(bench.call(page.sign(), i % 2 == 0 ? quota : events).has_value());
  CHECK(bench.problem(page.sign(), quota).retry_after == 301s);
  CHECK(bench.outcome(page.sign(), events) == "RATE_LIMITED");
  for (std::size_t i = 0; i < kept; ++i)
    REQUIRE(bench.call(page.sign(), i % 2 == 0 ? consume : decrypt).has_value());
  CHECK(bench.outcome(page.sign(), consume) == "RATE_LIMITED");
}

TEST_CASE("a request that comes too often spends no nonce: it is good as it is when Retry-After is over") {
  Bench bench;
  bench.settings.user = {.requests = 1, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  CHECK(bench.outcome(page.sign(), quota) == "user");
  for (std::size_t i = 0; i < 2 * limits::nonces_per_session_max; ++i)
    REQUIRE(bench.outcome(page.sign(), quota) == "RATE_LIMITED");
  Sent const refused = page.sign();
  Problem const problem = bench.problem(refused, quota);
  REQUIRE(problem.retry_after == 60s);
  CHECK(bench.outcome(page.sign(), consume) == "user");
  bench.clock.advance(60s);
  CHECK(bench.outcome(refused, quota) == "user");
  CHECK(bench.outcome(refused, quota) == "NONCE_REPLAYED");
}

TEST_CASE("a replay takes nothing from the user's limit") {
  Bench bench;
  bench.settings.user = {.requests = 2, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  Sent const sent = page.sign();
  CHECK(bench.outcome(sent) == "user");
  for (int i = 0; i < 10; ++i) CHECK(bench.outcome(sent) == "NONCE_REPLAYED");
  CHECK(bench.outcome(page.sign()) == "user");
}

TEST_CASE("what was signed in time is too old when the user's key comes too late") {
  Bench bench;
  bench.hold_token();
  Page page = bench.page();
  page.key_name = "wechat:10";
  page.key = crypto::from_base64("VI6BpyrK9XH4i4AIGe86tg==").value();
  page.timestamp -= 298;
  Sent const sent = page.sign();
  bench.wechat.hold_answers = true;
  bench.wechat.user_key_replies.push_back(ScriptedWeChat::says(
      R"({"key_info_list":[{"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":3600}]})"));
  auto called = start(bench.loop, bench.gate->authenticate(sent.request(), consume));
  bench.clock.settle();
  bench.clock.advance(3s);
  bench.wechat.let_go();
  bench.clock.settle();
  REQUIRE(called.done());
  REQUIRE_FALSE(called.value().has_value());
  Problem const& problem = called.value().error().problem;
  CHECK(problem.code == ProblemCode::timestamp_skewed);
  CHECK(problem.server_time == bench.clock.wall());
}

TEST_CASE("a session is good at the mini program whose it is, and at no other") {
  for (VerifyLevel const level : {none, origin, session, signature}) {
    Bench bench(level);
    bench.settings.origin.appids = std::vector{std::string(Bench::appid), std::string(other_appid)};
    bench.open_gate();
    Page page = bench.page();
    auto const sent_from = [&](std::string_view referer) {
      Sent sent = from(std::string(referer));
      if (level == signature) return page.sign(sent);
      sent.authorization = "Bearer " + page.session;
      return sent;
    };
    for (RouteAccess const access : {consume, decrypt, quota}) {
      CHECK(bench.outcome(sent_from(other_referer), access) == "SESSION_REQUIRED");
      CHECK(bench.outcome(sent_from(good_referer), access) == "user");
    }
    bench.settings.origin.appids = std::vector{std::string(other_appid)};
    bench.open_gate();
    CHECK(bench.outcome(sent_from(other_referer)) == "SESSION_REQUIRED");
  }
  Bench served_no_longer(none);
  served_no_longer.settings.origin.appids = std::vector{std::string(other_appid)};
  served_no_longer.open_gate();
  Sent without_referer = bearer(served_no_longer.page().session);
  without_referer.referer.reset();
  CHECK(served_no_longer.outcome(without_referer) == "SESSION_REQUIRED");
}

TEST_CASE("the sandbox that takes any appid takes all of them for its own") {
  for (VerifyLevel const level : {origin, session, signature}) {
    Bench bench(level);
    bench.settings.origin.appids = AnyAppid{std::string(Bench::appid)};
    bench.open_gate();
    Page page = bench.page();
    auto const called = bench.call(page.sign(from(std::string(other_referer))));
    REQUIRE(called.has_value());
    CHECK(called->session.has_value());
    CHECK(called->appid == Bench::appid);
  }
  Bench bench(origin);
  bench.settings.origin.appids = AnyAppid{std::string(Bench::appid)};
  bench.open_gate();
  CHECK(bench.call(from(std::string(other_referer)))->appid == Bench::appid);
  CHECK(bench.call(bearer(service_token))->appid == Bench::appid);
}

TEST_CASE("a caller is of the session's mini program, else of the Referer's, else of the only one") {
  Bench bench(none);
  Sent anywhere = from(std::nullopt);
  CHECK(bench.call(anywhere)->appid == Bench::appid);
  CHECK(bench.call(bearer(service_token))->appid == Bench::appid);
  anywhere.authorization = "Bearer " + bench.page().session;

  bench.settings.origin.appids = std::vector{std::string(other_appid), std::string(Bench::appid)};
  bench.open_gate();
  CHECK(bench.call(from(std::string(other_referer)))->appid == other_appid);
  CHECK(bench.call(anywhere)->appid == Bench::appid);
  CHECK(bench.call(from(std::nullopt))->appid.empty());
  CHECK(bench.call(bearer(service_token))->appid.empty());  // the body has to say
  CHECK(bench.gate->serves(other_appid));
  CHECK_FALSE(bench.gate->serves("wxaaaaaaaaaaaaaaaa"));
  CHECK_FALSE(bench.gate->serves(""));
}

TEST_CASE("a session of an earlier run signs nothing, and is good where no signature is asked for") {
  Bench before;
  Page page = before.page();
  for (VerifyLevel const level : {signature, session}) {
    Bench bench(level);
    bench.sessions.load(before.store.sessions, bench.settings.origin.appids);
    CHECK(bench.outcome(page.sign()) == "SESSION_EXPIRED");
    CHECK(bench.outcome(bearer(page.session)) == (level == signature ? "SIGNATURE_INVALID" : "user"));
  }
}

TEST_CASE("a session that is too old is told apart from one that never was") {
  for (VerifyLevel const level : {session, signature}) {
    Bench bench(level);
    Page page = bench.page();
    bench.clock.advance(2h);
    page.timestamp += 7200;
    CHECK(bench.outcome(level == session ? bearer(page.session) : page.sign()) == "SESSION_EXPIRED");
  }
}

TEST_CASE("only a request that is good keeps its session alive") {
  Bench bench;
  Page page = bench.page();
  bench.clock.advance(1h);
  page.timestamp += 3600;
  CHECK(bench.outcome(flipped(page.sign())) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(bearer(page.session)) == "SIGNATURE_INVALID");
  Page skewed = page;
  skewed.timestamp += 1000;
  CHECK(bench.outcome(skewed.sign()) == "TIMESTAMP_SKEWED");
  bench.clock.advance(1h);
  page.timestamp += 3600;
  CHECK(bench.outcome(page.sign()) == "SESSION_EXPIRED");

  Page lively = bench.page();
  lively.timestamp = unix_seconds(bench.clock.wall());
  for (int hour = 0; hour < 5; ++hour) {
    CHECK(bench.outcome(lively.sign()) == "user");
    bench.clock.advance(1h);
    lively.timestamp += 3600;
  }
}

TEST_CASE("the user's own key signs, and each of its faults is told apart") {
  std::string const key_10 = crypto::from_base64("VI6BpyrK9XH4i4AIGe86tg==").value();
  WeChatReply const knows_10 = ScriptedWeChat::says(
      R"({"key_info_list":[{"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":3600}]})");
  Bench bench;
  bench.hold_token();
  Page page = bench.page();
  page.key = key_10;
  page.key_name = "wechat:10";

  bench.wechat.user_key_replies.push_back(
      ScriptedWeChat::says(R"({"errcode":87009,"errmsg":"invalid signature","key_info_list":[]})"));
  CHECK(bench.outcome(page.sign()) == "SESSION_EXPIRED");
  bench.wechat.user_key_replies.push_back(ScriptedWeChat::says("<html>", 502));
  CHECK(name_of(bench.problem(page.sign())) == "WECHAT_UNAVAILABLE");
  bench.wechat.user_key_replies.push_back(knows_10);
  CHECK(bench.outcome(page.sign()) == "user");
  CHECK(bench.outcome(flipped(page.sign())) == "SIGNATURE_INVALID");

  page.key_name = "wechat:11";
  Problem const too_often = bench.problem(page.sign());
  CHECK(too_often.code == ProblemCode::rate_limited);
  CHECK(too_often.retry == Retry::same_code);
  CHECK(too_often.retry_after == 60s);
  bench.clock.advance(60s);
  bench.wechat.user_key_replies.push_back(knows_10);
  CHECK(bench.outcome(page.sign()) == "SIGNATURE_INVALID");
}

TEST_CASE("when WeChat will not give a user's keys, the page hears why, and when to come back") {
  struct Row {
    int errcode;
    ProblemCode code;
    seconds retry_after;
  };
  for (Row const& row :
       {Row{45011, ProblemCode::wechat_unavailable, 40s},  // 20 s past the minute
        Row{45009, ProblemCode::wechat_unavailable, 40s}, Row{40164, ProblemCode::service_misconfigured, 5s},
        Row{48001, ProblemCode::service_misconfigured, 5s}, Row{-1, ProblemCode::wechat_unavailable, 2s},
        Row{40001, ProblemCode::wechat_unavailable, 2s}}) {
    CAPTURE(row.errcode);
    Bench bench;
    bench.hold_token();
    bench.hold_token("token-2");  // for when the first is refused
    Page page = bench.page();
    page.key_name = "wechat:10";
    bench.wechat.user_key_replies.push_back(
        ScriptedWeChat::says(R"({"errcode":)" + std::to_string(row.errcode) +
                             R"(,"errmsg":"no, rid: 65a33cd8-1b2c3d4e-0f0f0f0f"})"));
    Problem const problem = bench.problem(page.sign());
    CHECK(problem.code == row.code);
    CHECK(problem.retry_after == row.retry_after);
    CHECK(problem.errcode == row.errcode);
    CHECK(problem.rid == "65a33cd8-1b2c3d4e-0f0f0f0f");
    CHECK(bench.log_has("r-1"));
  }
}

TEST_CASE("a stranger makes nobody ask WeChat") {
  Bench bench;
  bench.hold_token();
  Page stranger{.session = std::string(43, 'x'), .key_name = "wechat:10", .key = "a guess"};
  for (int i = 0; i < 10; ++i) CHECK(bench.outcome(stranger.sign()) == "SESSION_REQUIRED");
  CHECK(bench.wechat.user_keys_asked.empty());
}

TEST_CASE("an address is limited before anything else is looked at") {
  Bench bench;
  bench.settings.address = {.requests = 3, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  Sent twice = page.sign();
  twice.authorization_repeated = true;
  CHECK(bench.outcome(from("https://example.com/")) == "ORIGIN_FORBIDDEN");
  CHECK(bench.outcome(twice) == "INVALID_REQUEST");
  CHECK(bench.outcome(Sent{}) == "SESSION_REQUIRED");
  for (Sent const& sent : {from("https://example.com/"), twice, Sent{}, page.sign()})
    CHECK(bench.outcome(sent) == "RATE_LIMITED");
  Sent elsewhere = page.sign();
  elsewhere.address = "\x01\x02\x03\x05";
  CHECK(bench.outcome(elsewhere) == "user");
  bench.clock.advance(20s);
  page.timestamp += 20;
  CHECK(bench.outcome(page.sign()) == "user");
}

TEST_CASE("origin is looked at before the session, and the session before its clock and signature") {
  Bench bench;
  Page page = bench.page();
  CHECK(bench.outcome(flipped(page.sign(from("https://example.com/")))) == "ORIGIN_FORBIDDEN");
  page.timestamp += 1000;
  CHECK(bench.outcome(flipped(page.sign())) == "TIMESTAMP_SKEWED");
  page.session = std::string(43, 'x');
  CHECK(bench.outcome(flipped(page.sign())) == "SESSION_REQUIRED");
}

TEST_CASE("an address gets its request back once the caller has proved good, and only then") {
  Bench bench;
  bench.settings.address = {.requests = 3, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  for (int i = 0; i < 20; ++i) CHECK(bench.outcome(page.sign()) == "user");
  Sent const replayed = page.sign();
  CHECK(bench.outcome(replayed) == "user");
  CHECK(bench.outcome(replayed) == "NONCE_REPLAYED");
  CHECK(bench.outcome(flipped(page.sign())) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(bearer(page.session)) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(page.sign()) == "RATE_LIMITED");

  Bench at_origin(origin);
  at_origin.settings.address = {.requests = 3, .period = 60s};
  at_origin.open_gate();
  for (int i = 0; i < 3; ++i) CHECK(at_origin.outcome(Sent{}) == "anonymous");
  CHECK(at_origin.outcome(Sent{}) == "RATE_LIMITED");
}

TEST_CASE("POST /session counts for its address, whatever else it shows") {
  Bench bench;
  bench.settings.address = {.requests = 3, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  for (int i = 0; i < 3; ++i) CHECK(bench.outcome(page.sign(), login) == "anonymous");
  CHECK(bench.outcome(page.sign(), login) == "RATE_LIMITED");
}

TEST_CASE("the business's backend is not limited by address, nor are others by its requests") {
  Bench bench;
  bench.settings.address = {.requests = 1, .period = 60s};
  bench.open_gate();
  for (int i = 0; i < 100; ++i) CHECK(bench.outcome(bearer(service_token)) == "backend");
  CHECK(bench.outcome(Sent{}) == "SESSION_REQUIRED");
  CHECK(bench.outcome(Sent{}) == "RATE_LIMITED");
  CHECK(bench.outcome(bearer(service_token)) == "backend");
}

TEST_CASE("guesses of the service token are limited like anybody's") {
  Bench bench;
  bench.settings.address = {.requests = 3, .period = 60s};
  bench.open_gate();
  for (int i = 0; i < 3; ++i) CHECK(bench.outcome(bearer("a guess")) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(bearer("a guess")) == "RATE_LIMITED");
}

TEST_CASE("codes and all else have buckets of their own, so that nothing else starves a paid code") {
  Bench bench;
  bench.settings.user = {.requests = 2, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  Page other = bench.page("another-openid");
  for (int i = 0; i < 2; ++i) CHECK(bench.outcome(page.sign(), events) == "user");
  CHECK(bench.outcome(page.sign(), events) == "RATE_LIMITED");
  CHECK(bench.outcome(page.sign(), quota) == "RATE_LIMITED");
  CHECK(bench.outcome(page.sign(), consume) == "user");
  CHECK(bench.outcome(page.sign(), decrypt) == "user");
  Problem const limited = bench.problem(page.sign(), consume);
  CHECK(limited.code == ProblemCode::rate_limited);
  CHECK(limited.retry == Retry::same_code);
  CHECK(limited.retry_after == 30s);
  CHECK_FALSE(bench.problem(page.sign(), quota).retry.has_value());
  CHECK(bench.outcome(other.sign(), consume) == "user");
}

TEST_CASE(
    "a user's limit holds for all of the user's sessions together, and for the backend that speaks for him") {
  Bench bench;
  bench.settings.user = {.requests = 3, .period = 60s};
  bench.open_gate();
  Page phone = bench.page();
  Page tablet = bench.page();
  CHECK(bench.outcome(phone.sign()) == "user");
  CHECK(bench.outcome(tablet.sign()) == "user");
  CHECK_FALSE(bench.gate->limit_user(bench.user("an-openid"), consume).has_value());
  CHECK(bench.outcome(tablet.sign()) == "RATE_LIMITED");
  CHECK(bench.gate->limit_user(bench.user("an-openid"), consume)->code == ProblemCode::rate_limited);
  CHECK_FALSE(bench.gate->limit_user(bench.user("another-openid"), consume).has_value());
}

TEST_CASE("nobody but the user spends from the user's limit") {
  Bench bench;
  bench.settings.user = {.requests = 1, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  for (int i = 0; i < 10; ++i) CHECK(bench.outcome(flipped(page.sign())) == "SIGNATURE_INVALID");
  CHECK(bench.outcome(page.sign()) == "user");
}

TEST_CASE("all addresses together have a limit where one is set") {
  Bench bench(origin);
  bench.settings.everybody = {.requests = 5, .period = 60s};
  bench.open_gate();
  Sent sent;
  for (char i = 0; i < 5; ++i) {
    sent.address = std::string("\x0a\x00\x00", 3) + i;
    CHECK(bench.outcome(sent) == "anonymous");
  }
  sent.address = "\x0b\x01\x01\x01";
  CHECK(bench.problem(sent).retry_after == 12s);
  CHECK(bench.field("RateLimit-Policy", sent, consume) == R"("all";q=5;w=60)");
  CHECK(bench.field("RateLimit", sent, consume) == R"("all";r=0;t=60)");
  CHECK(bench.field("RateLimit", bearer(service_token), consume) == "none");
}

TEST_CASE("strangers who use up the limit of all addresses do not keep out who has a session") {
  for (VerifyLevel const level : {session, signature}) {
    Bench bench(level);
    bench.settings.everybody = {.requests = 5, .period = 60s};
    bench.open_gate();
    Page page = bench.page();
    auto const good = [&] { return level == session ? bearer(page.session) : page.sign(); };
    for (int i = 0; i < 20; ++i) CHECK(bench.outcome(good()) == "user");  // nor do they take from it
    Page stranger{.session = std::string(43, 'x'), .key = "a guess"};
    for (int i = 0; i < 5; ++i) CHECK(bench.outcome(stranger.sign()) == "SESSION_REQUIRED");
    CHECK(bench.outcome(stranger.sign()) == "RATE_LIMITED");
    CHECK(bench.outcome(Sent{}) == "RATE_LIMITED");
    CHECK(bench.outcome(good()) == "user");
    CHECK(bench.outcome(bearer(service_token)) == "backend");
    CHECK(bench.outcome(good(), login) == "RATE_LIMITED");  // a login is a stranger's, whatever it shows
  }
}

TEST_CASE("the limits say what is left of them") {
  Bench bench;
  bench.settings.address = {.requests = 600, .period = 60s};
  bench.settings.user = {.requests = 60, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  CHECK(bench.field("RateLimit", Sent{}, login) == R"("address";r=600;t=0)");
  CHECK(bench.outcome(Sent{}) == "SESSION_REQUIRED");
  CHECK(bench.field("RateLimit-Policy", Sent{}, login) == R"("address";q=600;w=60)");
  CHECK(bench.field("RateLimit", Sent{}, login) == R"("address";r=599;t=1)");
  CHECK(bench.outcome(page.sign()) == "user");
  CallerKey const user = bench.user("an-openid");
  CHECK(bench.field("RateLimit-Policy", Sent{}, consume, user) ==
        R"("address";q=600;w=60, "user";q=60;w=60)");
  CHECK(bench.field("RateLimit", Sent{}, consume, user) == R"("address";r=599;t=1, "user";r=59;t=1)");
  CHECK(bench.field("RateLimit", Sent{}, quota, user) == R"("address";r=599;t=1, "user";r=60;t=0)");
  CHECK(bench.field("RateLimit", bearer(service_token), consume, user) == R"("user";r=59;t=1)");
  CHECK(bench.field("RateLimit", bearer(service_token), consume) == "none");
}

TEST_CASE("whoever is refused for coming too often himself is named, so that his limit can be told") {
  Bench bench;
  bench.settings.user = {.requests = 1, .period = 60s};
  bench.open_gate();
  Page page = bench.page();
  CHECK(bench.outcome(page.sign()) == "user");
  auto const refused = bench.pass(page.sign());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().user == bench.user("an-openid"));
  auto const forged = bench.pass(flipped(page.sign()));
  REQUIRE_FALSE(forged.has_value());
  CHECK_FALSE(forged.error().user.has_value());
  CHECK(bench.gate->rate_fields(bench.user("an-openid"), consume) ==
        Gatekeeper::Fields{{"RateLimit-Policy", R"("user";q=1;w=60)"}, {"RateLimit", R"("user";r=0;t=60)"}});
}

TEST_CASE("limits that are off say nothing") {
  Bench bench;
  CHECK(bench.gate->rate_fields(Sent{}.request(), consume, bench.user("an-openid")).empty());
  for (int i = 0; i < 1000; ++i) REQUIRE(bench.outcome(Sent{}) == "SESSION_REQUIRED");
}

TEST_CASE("a 401 names the scheme that the level asks for") {
  CHECK(Bench(signature).gate->challenge() == "ONETAP-HMAC-SHA256");
  for (VerifyLevel const level : {none, origin, session}) CHECK(Bench(level).gate->challenge() == "Bearer");
}

TEST_CASE("the log names the way out for a bare request, and no secret of anybody's") {
  Bench bench;
  Page page = bench.page();
  Sent const signed_once = page.sign();
  for (Sent const& sent : {Sent{}, bearer(page.session), flipped(signed_once), signed_once, signed_once,
                           with("ONETAP-HMAC-SHA256 session=\"" + page.session + "\""),
                           from("https://example.com/an-address-that-somebody-chose")})
    std::ignore = bench.outcome(sent);
  CHECK(bench.log_has("ONETAP_VERIFY=origin"));
  CHECK(bench.log_has("r-1"));
  CHECK_FALSE(bench.log_has(page.session));
  CHECK_FALSE(bench.log_has(page.session.substr(0, 10)));
  CHECK_FALSE(bench.log_has("an-address-that-somebody-chose"));
  CHECK_FALSE(bench.log_has("an-openid"));
}

TEST_CASE("whoever is refused by the thousand is told of once a minute, with how often") {
  Bench bench(origin);
  for (int i = 0; i < 1000; ++i) std::ignore = bench.outcome(from("https://example.com/"));
  CHECK(bench.lines.size() == 1);
  bench.clock.advance(60s);
  std::ignore = bench.outcome(from("https://example.com/"));
  CHECK(bench.lines.size() == 2);
  CHECK(bench.log_has(R"("count":1000)"));
}

TEST_CASE("fields as long as a header may be are answered like any other") {
  Bench bench;
  for (std::string const& filler :
       {std::string(8000, 'x'), std::string(8000, '"'), std::string(8000, ','), std::string(8000, '='),
        std::string(8000, '\0'), std::string(8000, '\xff')}) {
    CHECK(bench.outcome(bearer(filler)) == "SIGNATURE_INVALID");
    CHECK(bench.outcome(with("ONETAP-HMAC-SHA256 " + filler)) == "SIGNATURE_INVALID");
    CHECK(bench.outcome(with(filler)) == "SESSION_REQUIRED");
    CHECK(bench.outcome(from(filler)) == "ORIGIN_FORBIDDEN");
  }
}
