#include "net/tls_context.hpp"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/net/net_bench.hpp"

using namespace onetap;
using namespace onetap::tests;

namespace {

using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
using SslContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

/// A handshake without a network: both sides step by step until neither moves any more.
class Meeting {
 public:
  Meeting(net::TlsContext const& server, SSL_CTX* client, SSL_SESSION* resumed = nullptr)
      : server_(SSL_new(server.native()), SSL_free), client_(SSL_new(client), SSL_free) {
    BIO* server_end = nullptr;
    BIO* client_end = nullptr;
    REQUIRE(BIO_new_bio_pair(&server_end, 0, &client_end, 0) == 1);
    SSL_set_bio(server_.get(), server_end, server_end);
    SSL_set_bio(client_.get(), client_end, client_end);
    SSL_set_accept_state(server_.get());
    SSL_set_connect_state(client_.get());
    if (resumed != nullptr) SSL_set_session(client_.get(), resumed);
    shake_hands();
  }

  Meeting(Meeting const&) = delete;
  Meeting& operator=(Meeting const&) = delete;
  ~Meeting() { SSL_set_shutdown(client_.get(), SSL_SENT_SHUTDOWN); }  // else OpenSSL spoils the session

  void shake_hands() {
    constexpr int rounds = 10;
    for (int round = 0; round < rounds; ++round) {
      client_done_ = SSL_do_handshake(client_.get()) == 1;
      server_done_ = SSL_do_handshake(server_.get()) == 1;
      char byte = 0;
      SSL_peek(client_.get(), &byte, 1);  // session tickets come behind the handshake
    }
    ERR_clear_error();
  }

  [[nodiscard]] bool succeeded() const { return client_done_ && server_done_; }
  [[nodiscard]] SSL* client() const { return client_.get(); }
  [[nodiscard]] Session session() const { return {SSL_get1_session(client_.get()), SSL_SESSION_free}; }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(client_.get()) == 1; }

 private:
  Ssl server_;
  Ssl client_;
  bool client_done_ = false;
  bool server_done_ = false;
};

SslContext client_context(int version) {
  SslContext context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  return context;
}

std::string ticket_of(Session const& session) {
  unsigned char const* bytes = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ticket(session.get(), &bytes, &size);
  return {bytes, bytes + size};
}

net::TlsContext any_server() { return server_tls(TestAuthority().issue({})); }

bool agree_on_suite(net::TlsContext const& server, char const* suites) {
  SslContext const client = client_context(TLS1_2_VERSION);
  REQUIRE(SSL_CTX_set_cipher_list(client.get(), suites) == 1);
  return Meeting(server, client.get()).succeeded();
}

}  // namespace

TEST_CASE("TLS 1.2 and 1.3 are spoken, and nothing older") {
  net::TlsContext const server = any_server();
  for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION})
    CHECK(Meeting(server, client_context(version).get()).succeeded());
  for (int const version : {TLS1_VERSION, TLS1_1_VERSION})
    CHECK_FALSE(Meeting(server, client_context(version).get()).succeeded());
}

TEST_CASE("the suites of TLS 1.2 are the ones with forward secrecy and authenticated encryption") {
  net::TlsContext const server = any_server();
  for (char const* const suite :
       {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
    CAPTURE(suite);
    CHECK(agree_on_suite(server, suite));
  }
  for (char const* const suite : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256",
                                  "ECDHE-ECDSA-AES128-CCM", "NULL-SHA256"}) {
    CAPTURE(suite);
    CHECK_FALSE(agree_on_suite(server, suite));
  }
}

TEST_CASE("keys are agreed on over X25519, P-256 and P-384") {
  net::TlsContext const server = any_server();
  for (auto const& [group, is_taken] :
       {std::pair{"X25519", true}, std::pair{"P-256", true}, std::pair{"P-384", true},
        std::pair{"P-521", false}, std::pair{"X448", false}}) {
    CAPTURE(std::string(group));
    SslContext const client = client_context(TLS1_3_VERSION);
    REQUIRE(SSL_CTX_set1_groups_list(client.get(), group) == 1);
    CHECK(Meeting(server, client.get()).succeeded() == is_taken);
  }
}

TEST_CASE("a client cannot have the handshake repeated") {
  net::TlsContext const server = any_server();
  SslContext const context = client_context(TLS1_2_VERSION);
  Meeting meeting(server, context.get());
  REQUIRE(meeting.succeeded());
  REQUIRE(SSL_renegotiate(meeting.client()) == 1);
  meeting.shake_hands();
  CHECK_FALSE(meeting.succeeded());
}

TEST_CASE("no ticket allows early data, which can be replayed") {
  net::TlsContext const server = any_server();
  SslContext const context = client_context(TLS1_3_VERSION);
  Meeting const meeting(server, context.get());
  Session const session = meeting.session();
  CHECK(SSL_SESSION_has_ticket(session.get()) == 1);
  CHECK(SSL_SESSION_get_max_early_data(session.get()) == 0);
}

TEST_CASE("a ticket resumes until its key has been rotated twice, and then the handshake is a full one") {
  for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    net::TlsContext server = any_server();
    SslContext const context = client_context(version);
    Meeting const first(server, context.get());
    REQUIRE(first.succeeded());
    CHECK_FALSE(first.resumed());
    Session const ticket = first.session();
    CHECK(Meeting(server, context.get(), ticket.get()).resumed());

    server.rotate_ticket_keys();
    Meeting const second(server, context.get(), ticket.get());
    CHECK(second.resumed());
    Session const renewed = second.session();

    server.rotate_ticket_keys();
    Meeting const third(server, context.get(), ticket.get());
    CHECK(third.succeeded());
    CHECK_FALSE(third.resumed());
    CHECK(Meeting(server, context.get(), renewed.get()).resumed());
  }
}

TEST_CASE("whoever resumes in TLS 1.3 gets a ticket for the next time, since most use one only once") {
  net::TlsContext const server = any_server();
  SslContext const context = client_context(TLS1_3_VERSION);
  Session const ticket = Meeting(server, context.get()).session();
  Meeting const resumed(server, context.get(), ticket.get());
  CHECK(resumed.resumed());
  Session const next = resumed.session();
  bool const is_another = ticket_of(next) != ticket_of(ticket);
  CHECK(is_another);
  CHECK(Meeting(server, context.get(), next.get()).resumed());
}

TEST_CASE("another server's tickets are worth nothing") {
  net::TlsContext const server = any_server();
  net::TlsContext const other = any_server();
  SslContext const context = client_context(TLS1_3_VERSION);
  Meeting const first(server, context.get());
  Session const ticket = first.session();
  Meeting const second(other, context.get(), ticket.get());
  CHECK(second.succeeded());
  CHECK_FALSE(second.resumed());
}

TEST_CASE("HTTP/1.1 is the protocol that is agreed on, or none") {
  net::TlsContext const server = any_server();
  SslContext const context = client_context(TLS1_3_VERSION);
  auto const agreed = [&](std::string const& offered) {
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<unsigned char const*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
    Meeting const meeting(server, context.get());
    REQUIRE(meeting.succeeded());
    unsigned char const* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(meeting.client(), &name, &size);
    return std::string(reinterpret_cast<char const*>(name), size);
  };
  CHECK(agreed("\x02h2\x08http/1.1") == "http/1.1");
  CHECK(agreed("\x02h2").empty());
}

TEST_CASE("a chain that is cut, broken or of others is told, and not served") {
  TestAuthority const authority;
  TestCertificate const pair = authority.issue({});
  CHECK(net::TlsContext::server(pair.certificate_pem + authority.pem(), pair.key_pem).has_value());
  std::string const cut = authority.pem().substr(0, authority.pem().size() / 2);
  auto const half = net::TlsContext::server(pair.certificate_pem + cut, pair.key_pem);
  REQUIRE_FALSE(half.has_value());
  CHECK(half.error().find("chain cannot be read") != std::string::npos);
  TestAuthority const other;
  auto const foreign =
      net::TlsContext::server(pair.certificate_pem + other.issue({}).certificate_pem, pair.key_pem);
  REQUIRE_FALSE(foreign.has_value());
  CHECK(foreign.error().find("did not issue") != std::string::npos);
}

TEST_CASE("a key behind a passphrase is refused, and nobody is asked for it") {
  TestCertificate const pair = TestAuthority().issue({.key_passphrase = "secret"});
  auto const made = net::TlsContext::server(pair.certificate_pem, pair.key_pem);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().find("key cannot be read") != std::string::npos);
}

TEST_CASE("a certificate whose time is over, or has not come, is of no use") {
  auto const now = std::chrono::floor<core::milliseconds>(std::chrono::system_clock::now());
  TestAuthority const authority;
  TestCertificate const pair = authority.issue({});
  auto const made = net::TlsContext::server(pair.certificate_pem, pair.key_pem);
  REQUIRE(made.has_value());
  CHECK_FALSE(made->validity_fault(now).has_value());
  CHECK(made->validity_fault(now + std::chrono::hours(2)) == "the certificate has expired");
  CHECK(made->validity_fault(now - std::chrono::hours(2)) == "the certificate is not valid yet");
}

TEST_CASE("a certificate or key that cannot be used is told in a sentence") {
  TestAuthority const authority;
  TestCertificate const pair = authority.issue({});
  auto const sentence = [](std::string const& certificate, std::string const& key) {
    auto const made = net::TlsContext::server(certificate, key);
    REQUIRE(made.has_error());
    return made.error();
  };
  CHECK(sentence("garbage", pair.key_pem).starts_with("the certificate cannot be read: "));
  CHECK(sentence(pair.certificate_pem, "garbage").starts_with("the key cannot be read: "));
  CHECK_FALSE(sentence(pair.certificate_pem, authority.issue({}).key_pem).empty());
}
