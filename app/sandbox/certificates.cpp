#include "app/sandbox/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <stdexcept>

namespace onetap::app {
namespace {

using PrivateKey = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

void require(bool done, char const* what) {
  if (done) return;
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  throw std::runtime_error(std::string(what) + ": " + reason.data());
}

PrivateKey make_key() {
  PrivateKey key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  require(key != nullptr, "cannot make a P-256 key");
  return key;
}

std::time_t unix_time(core::WallTime time) { return static_cast<std::time_t>(core::unix_seconds(time)); }

/// Everything that an authority's and a server's certificate have in common.
Certificate begin_certificate(EVP_PKEY* key, std::string const& common_name, Validity const& validity) {
  Certificate certificate(X509_new(), X509_free);
  require(certificate != nullptr, "cannot make a certificate");
  require(X509_set_version(certificate.get(), X509_VERSION_3) == 1, "version");
  std::unique_ptr<BIGNUM, decltype(&BN_free)> const serial(BN_new(), BN_free);
  require(serial && BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1, "serial number");
  require(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) != nullptr,
          "serial number");
  require(ASN1_TIME_set(X509_getm_notBefore(certificate.get()), unix_time(validity.from)) != nullptr,
          "validity");
  require(ASN1_TIME_set(X509_getm_notAfter(certificate.get()), unix_time(validity.until)) != nullptr,
          "validity");
  auto const* name = reinterpret_cast<unsigned char const*>(common_name.c_str());
  require(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, name, -1,
                                     -1, 0) == 1,
          "name");
  require(X509_set_pubkey(certificate.get(), key) == 1, "public key");
  return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, std::string const& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> const extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()), X509_EXTENSION_free);
  require(extension != nullptr, value.c_str());
  require(X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

std::string read_all(BIO* memory) {
  char* data = nullptr;
  long const size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

std::string to_pem(X509* certificate) {
  Memory const memory(BIO_new(BIO_s_mem()), BIO_free);
  require(memory && PEM_write_bio_X509(memory.get(), certificate) == 1, "PEM of a certificate");
  return read_all(memory.get());
}

std::string to_pem(EVP_PKEY* key) {
  Memory const memory(BIO_new(BIO_s_mem()), BIO_free);
  require(
      memory && PEM_write_bio_PKCS8PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
      "PEM of a key");
  return read_all(memory.get());
}

std::string subject_alternative_names(ServerNames const& names) {
  std::string list;
  auto const append = [&list](std::string_view kind, std::string const& name) {
    if (!list.empty()) list += ',';
    list.append(kind).append(name);
  };
  for (std::string const& name : names.dns_names) append("DNS:", name);
  for (std::string const& address : names.addresses) append("IP:", address);
  return list;
}

}  // namespace

Validity throwaway_validity(core::WallTime now) {
  return {.from = now - std::chrono::hours(1), .until = now + std::chrono::days(30)};
}

ThrowawayAuthority::ThrowawayAuthority(Validity const& validity)
    : key_(make_key()), certificate_(begin_certificate(key_.get(), "onetap throw-away CA", validity)) {
  X509* const own = certificate_.get();
  require(X509_set_issuer_name(own, X509_get_subject_name(own)) == 1, "issuer");
  add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own, own, NID_subject_key_identifier, "hash");
  require(X509_sign(own, key_.get(), EVP_sha256()) > 0, "signature");
}

std::string ThrowawayAuthority::ca_pem() const { return to_pem(certificate_.get()); }

CertificateWithKey ThrowawayAuthority::issue(ServerNames const& names, Validity const& validity) const {
  PrivateKey const key = make_key();
  Certificate const certificate = begin_certificate(key.get(), "onetap sandbox", validity);
  X509* const issuer = certificate_.get();
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1, "issuer");
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), issuer, NID_subject_key_identifier, "hash");
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid:always");
  add_extension(certificate.get(), issuer, NID_subject_alt_name, subject_alternative_names(names));
  require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0, "signature");
  return {.certificate_pem = to_pem(certificate.get()), .key_pem = to_pem(key.get())};
}

}  // namespace onetap::app
