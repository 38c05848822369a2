#include "net/tls_context.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <ctime>
#include <map>
#include <new>
#include <optional>

#include "core/crypto/digest.hpp"
#include "net/certificate.hpp"
#include "net/tls_bio.hpp"

namespace onetap::net {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

// Mozilla's "intermediate" suites for TLS 1.2; those of TLS 1.3 are OpenSSL's own.
constexpr char cipher_list[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::string openssl_reason() {
  unsigned long const error = ERR_get_error();
  ERR_clear_error();
  char const* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "unknown reason";
}

Bio read_only(std::string_view text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

// Without one, OpenSSL asks for a passphrase on the terminal, and all the server waits.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*argument*/) { return 0; }

// What follows a server's certificate in its file: each has issued the one before. Otherwise, why not.
std::optional<std::string> read_chain(SSL_CTX* context, BIO* text, X509* leaf) {
  X509* before = leaf;
  while (X509* const intermediate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(context, intermediate);  // takes ownership
    if (X509_check_issued(intermediate, before) != X509_V_OK)
      return "a certificate of the chain did not issue the one before it";
    before = intermediate;
  }
  bool const at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  std::string const reason = openssl_reason();
  if (!at_end) return "the certificate's chain cannot be read: " + reason;
  return std::nullopt;
}

int choose_http_1_1(SSL* /*ssl*/, unsigned char const** out, unsigned char* out_size, unsigned char const* in,
                    unsigned int in_size, void* /*argument*/) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  auto* chosen =
      const_cast<unsigned char*>(*out);  // NOLINT(cppcoreguidelines-pro-type-const-cast): OpenSSL's signature
  int const found = SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

void set_common_options(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_cipher_list(context, cipher_list);
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

}  // namespace

/// What session tickets are sealed with (RFC 5077 §4). OpenSSL would use one key for the context's life.
struct TlsContext::TicketKeys {
  static constexpr std::size_t name_bytes = 16;
  static constexpr std::size_t key_bytes = 32;

  struct Key {
    std::array<unsigned char, name_bytes> name{};
    std::array<unsigned char, key_bytes> cipher{};
    std::array<unsigned char, key_bytes> mac{};

    Key() {
      core::crypto::fill_random(name);
      core::crypto::fill_random(cipher);
      core::crypto::fill_random(mac);
    }
    Key(Key const&) = default;
    Key& operator=(Key const&) = default;
    ~Key() {
      OPENSSL_cleanse(cipher.data(), cipher.size());
      OPENSSL_cleanse(mac.data(), mac.size());
    }
    [[nodiscard]] bool is_named(unsigned char const* given) const {
      return std::equal(name.begin(), name.end(), given);
    }
  };

  Key current;
  std::optional<Key> previous;

  // OpenSSL's contract (SSL_CTX_set_tlsext_ticket_key_evp_cb): 1 done, 2 done and to be renewed, 0 no key,
  // -1 failure.
  static int use(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                 int sealing) {
    auto const& keys = *static_cast<TicketKeys const*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    Key const* key = &keys.current;
    if (sealing != 0) {
      std::ranges::copy(key->name, name);
      core::crypto::fill_random({iv, static_cast<std::size_t>(EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()))});
    } else if (!key->is_named(name)) {
      if (!keys.previous || !keys.previous->is_named(name)) return 0;
      key = &*keys.previous;
    }
    std::array<unsigned char, key_bytes> mac_key = key->mac;
    std::string digest = "SHA256";
    std::array const parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key.data(), mac_key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    bool const ready =
        EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, sealing) == 1 &&
        EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
    OPENSSL_cleanse(mac_key.data(), mac_key.size());
    if (!ready) return -1;
    // Most clients use a ticket of TLS 1.3 once, so whoever resumes is given the next one.
    return key == &keys.current && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
  }
};

/// The newest session of each host. A connection points at its host's, which therefore stays in its place.
struct TlsContext::Sessions {
  using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

  std::map<std::string, Session> newest;

  Session& of(std::string const& host) {
    return newest.try_emplace(host, nullptr, SSL_SESSION_free).first->second;
  }

  static Session* of(SSL* connection) { return static_cast<Session*>(SSL_get_app_data(connection)); }

  // What is kept and what is offered are copies: OpenSSL spoils the session of a connection that ends without
  // good-bye, and, in TLS 1.3, one that has been resumed (so that nobody who listens can tell a person's
  // connections; ours come from one address anyway).
  static int keep(SSL* connection, SSL_SESSION* session) {
    Session* const newest_of_host = of(connection);
    if (newest_of_host != nullptr) newest_of_host->reset(SSL_SESSION_dup(session));
    return 0;  // OpenSSL keeps its reference
  }

  static void offer(SSL* connection, Session const& session) {
    Session const copy(session ? SSL_SESSION_dup(session.get()) : nullptr, SSL_SESSION_free);
    if (copy) SSL_set_session(connection, copy.get());
  }
};

void TlsContext::rotate_ticket_keys() {
  ticket_keys_->previous = ticket_keys_->current;
  ticket_keys_->current = TicketKeys::Key();
}

TlsContext::TlsContext()
    : context_(SSL_CTX_new(TLS_method()), SSL_CTX_free),
      bio_method_(new_tls_bio_method(), free_tls_bio_method) {
  if (!context_) throw std::bad_alloc();
  set_common_options(context_.get());
}

void TlsContext::aim(SSL* connection, std::string const& host) const {
  SSL_set_connect_state(connection);
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(connection, host.c_str());
    SSL_set1_host(connection, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host.c_str());
  }
  Sessions::Session& newest = sessions_->of(host);
  SSL_set_app_data(connection, &newest);
  Sessions::offer(connection, newest);
}

void TlsContext::forget_sessions() {
  for (auto& [host, session] : sessions_->newest) session.reset();
}

void TlsContext::forget_session(SSL* connection) {
  if (Sessions::Session* const newest = Sessions::of(connection)) newest->reset();
}

core::Result<TlsContext, std::string> TlsContext::server(std::string_view certificate_pem,
                                                         std::string_view key_pem) {
  ERR_clear_error();
  TlsContext made;
  SSL_CTX* const context = made.context_.get();
  Bio const chain = read_only(certificate_pem);
  Certificate const leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr), X509_free);
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return "the certificate cannot be read: " + openssl_reason();
  }
  if (auto fault = read_chain(context, chain.get(), leaf.get())) return std::move(*fault);
  Bio const key_text = read_only(key_pem);
  Key const key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  if (!key) return "the key cannot be read: " + openssl_reason();
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    ERR_clear_error();
    return std::string("the key does not belong to the certificate");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return "the key cannot be used: " + openssl_reason();
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);  // pages' connections are many, and idle
  SSL_CTX_set_num_tickets(context,
                          1);  // a second one costs 5-22 % of a full handshake and serves nobody here
  made.ticket_keys_ = std::make_shared<TicketKeys>();
  SSL_CTX_set_app_data(context, made.ticket_keys_.get());  // a connection keeps its TlsContext
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::use);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets do it without memory of ours
  SSL_CTX_set_alpn_select_cb(context, choose_http_1_1, nullptr);
  return made;
}

std::optional<std::string> TlsContext::validity_fault(core::WallTime now) const {
  X509 const* const leaf = SSL_CTX_get0_certificate(context_.get());
  if (leaf == nullptr) return std::nullopt;
  std::time_t at = core::unix_seconds(now);
  if (X509_cmp_time(X509_get0_notBefore(leaf), &at) > 0) return "the certificate is not valid yet";
  if (X509_cmp_time(X509_get0_notAfter(leaf), &at) < 0) return "the certificate has expired";
  return std::nullopt;
}

std::optional<CertificateFacts> TlsContext::certificate() const {
  X509 const* const leaf = SSL_CTX_get0_certificate(context_.get());
  if (leaf == nullptr) return std::nullopt;
  return facts_of(*leaf);
}

core::Result<TlsContext, std::string> TlsContext::client(std::string_view ca_pem) {
  ERR_clear_error();
  TlsContext made;
  SSL_CTX* const context = made.context_.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  made.sessions_ = std::make_shared<Sessions>();
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &Sessions::keep);
  if (ca_pem.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return "the system's certificate store cannot be read: " + openssl_reason();
    return made;
  }
  Bio const text = read_only(ca_pem);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (true) {
    Certificate const authority(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr), X509_free);
    if (!authority) break;
    if (X509_STORE_add_cert(store, authority.get()) != 1)
      return "a certificate is unusable: " + openssl_reason();
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return std::string("no PEM certificate in it");
  return made;
}

}  // namespace onetap::net
