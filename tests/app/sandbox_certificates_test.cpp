#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "app/sandbox/certificates.hpp"

using namespace onetap::app;
using namespace std::chrono_literals;
namespace core = onetap::core;

namespace {

constexpr auto now = core::wall_time_of_unix_ms(1'795'334'400'000);

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

Memory memory_of(std::string const& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

Certificate read_certificate(std::string const& pem) {
  return {PEM_read_bio_X509(memory_of(pem).get(), nullptr, nullptr, nullptr), X509_free};
}

Key read_key(std::string const& pem) {
  return {PEM_read_bio_PrivateKey(memory_of(pem).get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}

/// What a client that trusts `ca` says of a server's certificate at a time: X509_V_OK or the reason.
int verify(std::string const& ca_pem, std::string const& certificate_pem, core::WallTime at,
           std::string const& host, bool host_is_address = false) {
  Certificate const ca = read_certificate(ca_pem);
  Certificate const certificate = read_certificate(certificate_pem);
  REQUIRE(ca != nullptr);
  REQUIRE(certificate != nullptr);
  std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> const store(X509_STORE_new(), X509_STORE_free);
  REQUIRE(X509_STORE_add_cert(store.get(), ca.get()) == 1);
  std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> const context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  REQUIRE(X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) == 1);
  X509_VERIFY_PARAM* const wanted = X509_STORE_CTX_get0_param(context.get());
  REQUIRE(X509_VERIFY_PARAM_set_purpose(wanted, X509_PURPOSE_SSL_SERVER) == 1);
  X509_VERIFY_PARAM_set_time(wanted, core::unix_seconds(at));
  X509_VERIFY_PARAM_set_flags(wanted, X509_V_FLAG_X509_STRICT);
  if (host_is_address) {
    REQUIRE(X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1);
  } else {
    REQUIRE(X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), 0) == 1);
  }
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

}  // namespace

TEST_CASE("a client that trusts the throw-away CA accepts its server under all its names") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  std::string const server = authority.issue(ServerNames{}, throwaway_validity(now)).certificate_pem;
  CHECK(verify(authority.ca_pem(), server, now, "localhost") == X509_V_OK);
  CHECK(verify(authority.ca_pem(), server, now, "api.weixin.qq.com") == X509_V_OK);
  CHECK(verify(authority.ca_pem(), server, now, "127.0.0.1", true) == X509_V_OK);
  CHECK(verify(authority.ca_pem(), server, now, "::1", true) == X509_V_OK);
}

TEST_CASE("no other name is accepted") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  std::string const server = authority.issue(ServerNames{}, throwaway_validity(now)).certificate_pem;
  CHECK(verify(authority.ca_pem(), server, now, "example.com") == X509_V_ERR_HOSTNAME_MISMATCH);
  CHECK(verify(authority.ca_pem(), server, now, "127.0.0.2", true) == X509_V_ERR_IP_ADDRESS_MISMATCH);

  ServerNames const elsewhere{.dns_names = {"elsewhere.example"}, .addresses = {}};
  std::string const other = authority.issue(elsewhere, throwaway_validity(now)).certificate_pem;
  CHECK(verify(authority.ca_pem(), other, now, "elsewhere.example") == X509_V_OK);
  CHECK(verify(authority.ca_pem(), other, now, "localhost") == X509_V_ERR_HOSTNAME_MISMATCH);
}

TEST_CASE("a certificate is good within its validity only") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  Validity const past{.from = now - 48h, .until = now - 24h};
  std::string const expired = authority.issue(ServerNames{}, past).certificate_pem;
  CHECK(verify(authority.ca_pem(), expired, now, "localhost") == X509_V_ERR_CERT_HAS_EXPIRED);

  std::string const server = authority.issue(ServerNames{}, throwaway_validity(now)).certificate_pem;
  CHECK(verify(authority.ca_pem(), server, now - 59min, "localhost") == X509_V_OK);
  CHECK(verify(authority.ca_pem(), server, now + 29 * 24h, "localhost") == X509_V_OK);
  CHECK(verify(authority.ca_pem(), server, now + 31 * 24h, "localhost") == X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST_CASE("another authority's certificate is not trusted, though it has the same name") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  ThrowawayAuthority const stranger(throwaway_validity(now));
  std::string const server = stranger.issue(ServerNames{}, throwaway_validity(now)).certificate_pem;
  CHECK(verify(authority.ca_pem(), server, now, "localhost") == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST_CASE("a server cannot sign for others") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  CertificateWithKey const server = authority.issue(ServerNames{}, throwaway_validity(now));
  Certificate const certificate = read_certificate(server.certificate_pem);
  REQUIRE(certificate != nullptr);
  CHECK(X509_check_ca(certificate.get()) == 0);
  CHECK((X509_get_extension_flags(read_certificate(authority.ca_pem()).get()) & EXFLAG_CA) != 0);
}

TEST_CASE("the key is P-256, belongs to its certificate, and is new each time") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  CertificateWithKey const first = authority.issue(ServerNames{}, throwaway_validity(now));
  CertificateWithKey const second = authority.issue(ServerNames{}, throwaway_validity(now));
  Certificate const certificate = read_certificate(first.certificate_pem);
  Key const key = read_key(first.key_pem);
  Key const other_key = read_key(second.key_pem);
  REQUIRE(key != nullptr);
  REQUIRE(other_key != nullptr);
  CHECK(X509_check_private_key(certificate.get(), key.get()) == 1);
  CHECK(EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC);
  CHECK(EVP_PKEY_get_bits(key.get()) == 256);
  CHECK(EVP_PKEY_eq(key.get(), other_key.get()) != 1);
}

TEST_CASE("a name that cannot stand in a certificate is refused with the reason") {
  ThrowawayAuthority const authority(throwaway_validity(now));
  ServerNames const bad{.dns_names = {}, .addresses = {"not an address"}};
  CHECK_THROWS_AS((void)authority.issue(bad, throwaway_validity(now)), std::runtime_error);
}
