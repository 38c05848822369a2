#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "core/limits.hpp"
#include "tests/net/wechat_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

struct ResumptionBench : PeerBench {
  net::TlsContext trust = client_tls(authority.pem());

  ResumptionBench() { peer.answers_always = true; }

  /// What became of one more connection on which a request was made.
  core::Task<std::string> connect(std::string host = "127.0.0.1") {
    net::Stream stream{net::tcp::socket(loop)};
    stream.expires_at(clock.steady() + patience);
    net::tcp::endpoint const address(asio::ip::make_address("127.0.0.1"), peer.port());
    net::error_code const connected = co_await stream.connect(address);
    REQUIRE(!connected);
    stream.start_tls(trust, host);
    net::error_code const handshaken = co_await stream.handshake();
    if (handshaken) co_return stream.tls_error();
    net::HttpRequest const request{.method = "POST", .host = host, .target = "/", .body = "{}"};
    net::HttpAnswer const answer = co_await net::send_request(stream, request);
    REQUIRE(answer.delivery == Delivery::answered);
    co_return stream.is_resumed() ? "resumed" : "in full";
  }
};

}  // namespace

TEST_CASE("the next connection to a host resumes the session of the one before, and so on") {
  for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    ResumptionBench bench;
    SSL_CTX_set_max_proto_version(bench.trust.native(), version);
    auto test = [&]() -> core::Task<> {
      std::string how = co_await bench.connect();
      CHECK(how == "in full");
      for (int i = 0; i < 3; ++i) {
        how = co_await bench.connect();
        CHECK(how == "resumed");
      }
    };
    bench.run(test());
    CHECK(bench.peer.resumed == 3);
  }
}

TEST_CASE("a session is its host's alone") {
  ResumptionBench bench;
  auto test = [&]() -> core::Task<> {
    std::string how = co_await bench.connect("127.0.0.1");
    how = co_await bench.connect("localhost");
    CHECK(how == "in full");
    how = co_await bench.connect("localhost");
    CHECK(how == "resumed");
    how = co_await bench.connect("127.0.0.1");
    CHECK(how == "resumed");
  };
  bench.run(test());
}

TEST_CASE("a session is of one verification alone") {
  ResumptionBench bench;
  TestAuthority const other;
  auto test = [&]() -> core::Task<> {
    std::string how = co_await bench.connect();
    bench.trust = client_tls(bench.authority.pem());
    how = co_await bench.connect();
    CHECK(how == "in full");
    bench.trust = client_tls(other.pem());
    how = co_await bench.connect();
    CHECK(how == "unable to get local issuer certificate");
  };
  bench.run(test());
}

TEST_CASE("a server that has forgotten the session gets a full handshake") {
  ResumptionBench bench;
  auto test = [&]() -> core::Task<> {
    std::string how = co_await bench.connect();
    bench.peer.tls.rotate_ticket_keys();
    bench.peer.tls.rotate_ticket_keys();
    how = co_await bench.connect();
    CHECK(how == "in full");
    how = co_await bench.connect();
    CHECK(how == "resumed");
  };
  bench.run(test());
}

TEST_CASE("a session excuses nobody from showing a good certificate") {
  for (TestAuthority::Wish const& wish :
       {TestAuthority::Wish{.names = "DNS:somebody.else"},
        TestAuthority::Wish{.from_s = -7200, .until_s = -60}, TestAuthority::Wish{.self_signed = true}}) {
    ResumptionBench bench;
    auto test = [&]() -> core::Task<> {
      std::string how = co_await bench.connect();
      net::TlsContext const good = bench.peer.tls;
      bench.peer.tls = server_tls(bench.authority.issue(wish));
      how = co_await bench.connect();
      CHECK(how != "resumed");
      CHECK(how != "in full");
      bench.peer.tls = good;
      how = co_await bench.connect();
      CHECK(how == "in full");  // a handshake that failed costs the session
    };
    bench.run(test());
    CHECK(bench.peer.requests.size() == 2);
  }
}

TEST_CASE("the client's new lines resume, until the certificate is to be verified anew") {
  PeerBench bench;
  auto test = [&]() -> core::Task<> {
    for (core::milliseconds const time :
         {0ms, 0ms, 0ms, core::milliseconds(core::limits::tls_resumption_time)}) {
      bench.clock.lag = -time;
      bench.peer.answers.push_back({.bytes = ok_answer});  // and closes
      WeChatReply const reply = co_await bench.send();
      CHECK(reply.delivery == Delivery::answered);
      while (bench.peer.open > 0) co_await bench.clock.sleep_until(std::chrono::steady_clock::now() + 1ms);
    }
  };
  bench.run(test());
  CHECK(bench.peer.connections == 4);
  CHECK(bench.peer.resumed == 2);
}
