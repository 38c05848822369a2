#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <new>

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
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_cipher_list(context, cipher_list);
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

}  // namespace

TlsContext::TlsContext()
    : context_(SSL_CTX_new(TLS_method()), SSL_CTX_free),
      bio_method_(new_tls_bio_method(), free_tls_bio_method) {
  if (!context_) throw std::bad_alloc();
  set_common_options(context_.get());
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
  while (X509* const intermediate = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(context, intermediate);  // takes ownership
  }
  ERR_clear_error();  // the end of the file, as expected
  Bio const key_text = read_only(key_pem);
  Key const key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return "the key cannot be read: " + openssl_reason();
  if (SSL_CTX_check_private_key(context) != 1)
    return std::string("the key does not belong to the certificate");
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(context,
                          1);  // a second one costs 5-22 % of a full handshake and serves nobody here
  SSL_CTX_set_alpn_select_cb(context, choose_http_1_1, nullptr);
  return made;
}

core::Result<TlsContext, std::string> TlsContext::client(std::string_view ca_pem) {
  ERR_clear_error();
  TlsContext made;
  SSL_CTX* const context = made.context_.get();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
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
