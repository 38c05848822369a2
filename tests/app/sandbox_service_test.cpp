#include <doctest/doctest.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <exception>
#include <string>
#include <vector>

#include "app/sandbox/sandbox.hpp"
#include "core/crypto/digest.hpp"
#include "net/asio_clock.hpp"
#include "net/wechat/https_client.hpp"

using namespace onetap::app;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace core = onetap::core;
namespace json = boost::json;
namespace net = onetap::net;

namespace {

constexpr auto patience = 20s;  // only a broken build comes near it

/// A sandbox on any port of the loopback, and clients of it, on one loop.
struct Stage {
  explicit Stage(SandboxOptions options = {}) : sandbox(loop, clock, log, std::move(options)) {
    auto const started = sandbox.start();
    REQUIRE(started.has_value());
    address = *started;
    port = static_cast<unsigned short>(std::stoi(address.substr(address.rfind(':') + 1)));
  }

  /// Plays to its end; then the sandbox is stopped, and the loop must run out of work by itself.
  template <class Play>
  void run(Play const& play) {
    bool played = false;
    bool drained = false;
    auto const whole = [&]() -> core::Task<> {
      co_await play();
      played = true;
      sandbox.stop();
      core::SteadyTime const deadline = clock.steady() + patience;
      drained = co_await sandbox.drain(deadline);
    };
    asio::co_spawn(loop, whole(), [](std::exception_ptr const& broken) {
      if (broken) std::rethrow_exception(broken);
    });
    loop.run_for(patience);
    CHECK(played);
    CHECK(drained);
  }

  net::Stream connection(net::TlsContext const& trust, std::string const& host) {
    net::Stream stream(net::tcp::socket(loop), trust, host);
    stream.expires_at(clock.steady() + patience);
    return stream;
  }
  net::tcp::endpoint endpoint() const { return {asio::ip::make_address("127.0.0.1"), port}; }
  net::TlsContext trust() const {
    auto context = net::TlsContext::client(sandbox.ca_pem());
    REQUIRE(context.has_value());
    return *context;
  }

  core::Task<net::HttpAnswer> ask(std::string method, std::string target, std::string body) {
    net::TlsContext const trusted = trust();
    net::Stream stream = connection(trusted, "localhost");
    boost::system::error_code const connected = co_await stream.connect(endpoint());
    CHECK_FALSE(connected);
    boost::system::error_code const handshaken = co_await stream.handshake();
    CHECK_MESSAGE(!handshaken, stream.tls_error());
    net::HttpRequest const request{.method = method, .host = "localhost", .target = target, .body = body};
    net::HttpAnswer answer = co_await net::send_request(stream, request);
    co_await stream.shutdown();
    co_return answer;
  }

  /// Bytes as they are; what came back until the peer ended.
  core::Task<std::string> say(std::string bytes) {
    net::TlsContext const trusted = trust();
    net::Stream stream = connection(trusted, "localhost");
    boost::system::error_code const connected = co_await stream.connect(endpoint());
    CHECK_FALSE(connected);
    boost::system::error_code const handshaken = co_await stream.handshake();
    CHECK_MESSAGE(!handshaken, stream.tls_error());
    std::ignore = co_await stream.write(bytes);
    std::string received;
    std::string buffer(4096, '\0');
    while (true) {
      auto const size = co_await stream.read_some(buffer);
      if (!size) break;
      received.append(buffer, 0, *size);
    }
    co_await stream.shutdown();
    co_return received;
  }

  core::Task<std::string> token() {
    net::HttpAnswer const answer = co_await ask(
        "POST", "/cgi-bin/stable_token",
        R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s","force_refresh":false})");
    co_return std::string(json::parse(answer.body).at("access_token").as_string());
  }

  core::Task<net::HttpAnswer> exchange(std::string token, std::string code) {
    std::string const target = "/wxa/business/getuserphonenumber?access_token=" + token;
    std::string const body = R"({"code":")" + code + R"("})";
    net::HttpAnswer answer = co_await ask("POST", target, body);
    co_return answer;
  }

  asio::io_context loop{1};
  net::AsioClock clock{loop.get_executor()};
  std::vector<std::string> lines;
  core::Log log{[this](core::LogLevel, std::string_view line) { lines.emplace_back(line); },
                core::LogLevel::error, [] { return core::WallTime{}; }};
  Sandbox sandbox;
  std::string address;
  unsigned short port = 0;
};

std::int64_t errcode_of(net::HttpAnswer const& answer) {
  return json::parse(answer.body).at("errcode").as_int64();
}

}  // namespace

TEST_CASE("the first line of the sandbox names its address at every log level") {
  Stage stage;
  REQUIRE(stage.lines.size() == 1);
  json::value const line = json::parse(stage.lines[0]);
  CHECK(line.at("msg").as_string() == "listening");
  CHECK(line.at("listener").as_string() == "sandbox");
  CHECK(line.at("address").as_string() == stage.address);
  stage.run([]() -> core::Task<> { co_return; });
}

TEST_CASE("over TLS: a token, a number, and the same code again") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    net::HttpAnswer const first = co_await stage.exchange(token, "sandbox-ok");
    CHECK(first.delivery == core::Delivery::answered);
    CHECK(first.status == 200);
    CHECK(first.header("Content-Type") == "application/json; encoding=utf-8");
    CHECK(first.header("Date").size() == 29);
    CHECK(json::parse(first.body).at("phone_info").at("phoneNumber").as_string() == "13800138000");
    net::HttpAnswer const second = co_await stage.exchange(token, "sandbox-ok");
    CHECK(errcode_of(second) == 40029);
  };
  stage.run(play);
}

TEST_CASE("a client that does not trust the throw-away CA, or asks for another name, goes no further") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    auto const system_store = net::TlsContext::client("");
    REQUIRE(system_store.has_value());
    net::Stream stranger = stage.connection(*system_store, "localhost");
    std::ignore = co_await stranger.connect(stage.endpoint());
    boost::system::error_code const untrusted = co_await stranger.handshake();
    CHECK(untrusted);

    net::TlsContext const trusted = stage.trust();
    net::Stream misled = stage.connection(trusted, "example.com");
    std::ignore = co_await misled.connect(stage.endpoint());
    boost::system::error_code const misnamed = co_await misled.handshake();
    CHECK(misnamed);
  };
  stage.run(play);
}

TEST_CASE("an expired certificate is an option") {
  core::WallTime const past = core::wall_time_of_unix_ms(1'600'000'000'000);
  Stage stage({.certificate_validity = Validity{.from = past, .until = past + 24h}});
  auto const play = [&]() -> core::Task<> {
    net::TlsContext const trusted = stage.trust();
    net::Stream stream = stage.connection(trusted, "localhost");
    std::ignore = co_await stream.connect(stage.endpoint());
    boost::system::error_code const refused = co_await stream.handshake();
    CHECK(refused);
    CHECK(stream.tls_error().find("expired") != std::string::npos);
  };
  stage.run(play);
}

TEST_CASE("a lost answer is a closed connection after the request was taken") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    net::HttpAnswer const lost = co_await stage.exchange(token, "sandbox-reset-1");
    CHECK(lost.delivery == core::Delivery::maybe_sent);
    CHECK(lost.failure == core::TransportFailure::connection_lost);
    net::HttpAnswer const again = co_await stage.exchange(token, "sandbox-reset-1");
    CHECK(errcode_of(again) == 40029);
  };
  stage.run(play);
}

TEST_CASE("a held-back answer goes out when the sandbox stops") {
  Stage stage({.late_answer_time = 1h});
  bool answered = false;
  auto const wait_for_it = [&](std::string token) -> core::Task<> {
    net::HttpAnswer const answer = co_await stage.exchange(token, "sandbox-slow-1");
    CHECK(errcode_of(answer) == 0);
    answered = true;
  };
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    asio::co_spawn(stage.loop, wait_for_it(token), [](std::exception_ptr const& broken) { CHECK(!broken); });
    std::string const digest = core::crypto::to_hex(core::crypto::sha256("sandbox-slow-1"));
    while (stage.sandbox.state().journal().counts_of(digest).calls == 0) {
      co_await asio::post(stage.loop, asio::use_awaitable);  // others' turn
    }
    CHECK_FALSE(answered);
  };
  stage.run(play);
  CHECK(answered);
}

TEST_CASE("a body without Content-Length is HTTP 412 and empty") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const head =
        "POST /wxa/business/getuserphonenumber?access_token=x HTTP/1.1\r\nHost: localhost\r\n";
    std::string const chunked =
        co_await stage.say(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
    CHECK(chunked.starts_with("HTTP/1.1 412 "));
    CHECK(chunked.ends_with("\r\n\r\n"));
    std::string const no_length = co_await stage.say(head + "Connection: close\r\n\r\n");
    CHECK(no_length.starts_with("HTTP/1.1 412 "));
    CHECK(no_length.ends_with("\r\n\r\n"));
    CHECK(stage.sandbox.state().journal().calls().size() == 2);
  };
  stage.run(play);
}

TEST_CASE("the control surface: codes, journal, dead tokens, reset") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    net::HttpAnswer const issued =
        co_await stage.ask("POST", "/sandbox/codes", R"({"testCode":"sandbox-ok"})");
    json::value const made = json::parse(issued.body);
    CHECK(made.at("expiresIn").as_int64() == 300);
    std::string const code(made.at("code").as_string());
    std::string const token = co_await stage.token();
    net::HttpAnswer const number = co_await stage.exchange(token, code);
    CHECK(errcode_of(number) == 0);

    std::string const digest = core::crypto::to_hex(core::crypto::sha256(code));
    net::HttpAnswer const shown = co_await stage.ask("GET", "/sandbox/journal?codeDigest=" + digest, "");
    json::value const counts = json::parse(shown.body).at("codes").at(0);
    CHECK(counts.at("calls").as_int64() == 1);
    CHECK(counts.at("numbers").as_int64() == 1);

    net::HttpAnswer const expired = co_await stage.ask("POST", "/sandbox/token/expire", "");
    CHECK(expired.status == 200);
    net::HttpAnswer const dead = co_await stage.exchange(token, "sandbox-ok-2");
    CHECK(errcode_of(dead) == 42001);
    std::string const next = co_await stage.token();
    std::ignore = co_await stage.ask("POST", "/sandbox/token/expire", R"({"errcode":40001})");
    net::HttpAnswer const invalid = co_await stage.exchange(next, "sandbox-ok-2");
    CHECK(errcode_of(invalid) == 40001);

    std::ignore = co_await stage.ask("POST", "/sandbox/reset", "");
    CHECK(stage.sandbox.state().journal().total_calls() == 0);
  };
  stage.run(play);
}

TEST_CASE("the control surface says what it cannot use") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    net::HttpAnswer const no_card = co_await stage.ask("POST", "/sandbox/codes", R"({"testCode":"visa"})");
    CHECK(no_card.status == 400);
    net::HttpAnswer const no_json = co_await stage.ask("POST", "/sandbox/codes", "x");
    CHECK(no_json.status == 400);
    net::HttpAnswer const no_errcode =
        co_await stage.ask("POST", "/sandbox/token/expire", R"({"errcode":1})");
    CHECK(no_errcode.status == 400);
    net::HttpAnswer const nobody = co_await stage.ask("POST", "/sandbox/user-key", R"({"jsCode":"li"})");
    CHECK(nobody.status == 400);
    net::HttpAnswer const no_switch =
        co_await stage.ask("POST", "/sandbox/user-key", R"({"jsCode":"li","rotate":1})");
    CHECK(no_switch.status == 400);
    net::HttpAnswer const no_number = co_await stage.ask("GET", "/sandbox/journal?limit=many", "");
    CHECK(no_number.status == 400);
    net::HttpAnswer const no_path = co_await stage.ask("GET", "/sandbox/nothing", "");
    CHECK(no_path.status == 404);
    net::HttpAnswer const no_method = co_await stage.ask("GET", "/sandbox/reset", "");
    CHECK(no_method.status == 405);
    CHECK(no_method.header("Allow") == "POST");
  };
  stage.run(play);
}

TEST_CASE("an answer breaks on its way as its code says") {
  using enum core::TransportFailure;
  struct Line {
    std::string_view code;
    core::TransportFailure failure;  // none: a whole HTTP answer
  };
  constexpr std::array lines{Line{"sandbox-unread", connection_lost},
                             Line{"sandbox-torn", connection_lost},
                             Line{"sandbox-cut", connection_lost},
                             Line{"sandbox-length-long", connection_lost},
                             Line{"sandbox-tls-alert", connection_lost},
                             Line{"sandbox-no-goodbye", malformed},
                             Line{"sandbox-length-twice", malformed},
                             Line{"sandbox-bad-chunk", malformed},
                             Line{"sandbox-huge", too_large},
                             Line{"sandbox-length-short", none}};
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    for (Line const& line : lines) {
      CAPTURE(line.code);
      net::HttpAnswer const answer = co_await stage.exchange(token, std::string(line.code));
      CHECK(answer.failure == line.failure);
    }
  };
  stage.run(play);
}

TEST_CASE("a reset is one, and TLS's failure is an alert") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    net::HttpAnswer const torn = co_await stage.exchange(token, "sandbox-torn");
    CHECK(torn.failure_detail == boost::system::error_code(asio::error::connection_reset).message());
    net::TlsContext const trusted = stage.trust();
    net::Stream stream = stage.connection(trusted, "localhost");
    std::ignore = co_await stream.connect(stage.endpoint());
    std::ignore = co_await stream.handshake();
    std::string const target = "/wxa/business/getuserphonenumber?access_token=" + token;
    std::string const body = R"({"code":"sandbox-tls-alert"})";
    net::HttpRequest const request{.method = "POST", .host = "localhost", .target = target, .body = body};
    net::HttpAnswer const answer = co_await net::send_request(stream, request);
    CHECK(answer.failure == core::TransportFailure::connection_lost);
    CHECK(stream.tls_error().find("alert") != std::string::npos);
  };
  stage.run(play);
}

TEST_CASE("an answer that drips begins to come, and ends when the sandbox stops") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    net::TlsContext const trusted = stage.trust();
    net::Stream stream = stage.connection(trusted, "localhost");
    std::ignore = co_await stream.connect(stage.endpoint());
    std::ignore = co_await stream.handshake();
    std::string const body = R"({"code":"sandbox-drip"})";
    std::ignore = co_await stream.write(
        "POST /wxa/business/getuserphonenumber?access_token=" + token +
        " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    std::string received(64, '\0');
    auto const first = co_await stream.read_some(received);
    REQUIRE(first.has_value());
    CHECK(*first == 1);
  };
  stage.run(play);
}

TEST_CASE("the control surface: codes that fare as another, and a dead token given again") {
  Stage stage;
  auto const play = [&]() -> core::Task<> {
    std::string const token = co_await stage.token();
    net::HttpAnswer const next =
        co_await stage.ask("POST", "/sandbox/next", R"({"testCode":"sandbox-busy","times":1})");
    CHECK(next.status == 200);
    net::HttpAnswer const busy = co_await stage.exchange(token, "sandbox-ok");
    CHECK(errcode_of(busy) == -1);
    for (char const* const body : {"{}", R"({"testCode":"visa","times":1})", R"({"testCode":"sandbox-ok"})",
                                   R"({"testCode":"sandbox-ok","times":-1})"}) {
      CAPTURE(body);
      net::HttpAnswer const unusable = co_await stage.ask("POST", "/sandbox/next", body);
      CHECK(unusable.status == 400);
    }
    net::HttpAnswer const no_switch = co_await stage.ask("POST", "/sandbox/token/expire", R"({"again":1})");
    CHECK(no_switch.status == 400);
    std::ignore = co_await stage.ask("POST", "/sandbox/token/expire", R"({"again":true})");
    std::string const again = co_await stage.token();
    CHECK(again == token);
  };
  stage.run(play);
}
