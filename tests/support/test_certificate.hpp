#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace onetap::tests {

/// A certificate and its key in PEM, made for one test run; nothing is stored.
struct TestCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

/// Makes certificates as a test wants them: signed by this authority, or by themselves.
class TestAuthority {
 public:
  struct Wish {
    std::string names = "IP:127.0.0.1,DNS:localhost";
    long from_s = -3600;  // seconds from now
    long until_s = 3600;
    bool self_signed = false;
    std::string key_passphrase{};  // empty: none
  };

  TestAuthority() : key_(new_key()), certificate_(new_certificate(key_.get(), "onetap test CA", Wish())) {
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate_.get(), NID_key_usage, "critical,keyCertSign");
    require(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
  }

  [[nodiscard]] std::string pem() const { return certificate_pem(certificate_.get()); }

  [[nodiscard]] TestCertificate issue(Wish const& wish) const {
    Key const key = new_key();
    Certificate const certificate = new_certificate(key.get(), "onetap test", wish);
    X509* const issuer = wish.self_signed ? certificate.get() : certificate_.get();
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
    extend(certificate.get(), NID_subject_alt_name, wish.names);
    require(X509_sign(certificate.get(), wish.self_signed ? key.get() : key_.get(), EVP_sha256()) > 0);
    Bio const text(BIO_new(BIO_s_mem()), BIO_free);
    bool const is_locked = !wish.key_passphrase.empty();
    require(PEM_write_bio_PKCS8PrivateKey(text.get(), key.get(), is_locked ? EVP_aes_256_cbc() : nullptr,
                                          is_locked ? wish.key_passphrase.data() : nullptr,
                                          static_cast<int>(wish.key_passphrase.size()), nullptr,
                                          nullptr) == 1);
    return {.certificate_pem = certificate_pem(certificate.get()), .key_pem = contents(text.get())};
  }

 private:
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static void require(bool done) {
    if (!done) throw std::runtime_error("OpenSSL makes no test certificate");
  }

  static Key new_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

  static Certificate new_certificate(EVP_PKEY* key, std::string const& name, Wish const& wish) {
    static long serial = 0;
    Certificate certificate(X509_new(), X509_free);
    require(key != nullptr && certificate != nullptr);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), wish.from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), wish.until_s);
    std::string const numbered = name + " " + std::to_string(serial);  // two authorities are never confused
    auto const* const common_name = reinterpret_cast<unsigned char const*>(numbered.c_str());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC, common_name, -1,
                               -1, 0);
    X509_set_pubkey(certificate.get(), key);
    return certificate;
  }

  static void extend(X509* certificate, int nid, std::string const& value) {
    std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> const extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()), X509_EXTENSION_free);
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
  }

  static std::string contents(BIO* memory) {
    char* data = nullptr;
    long const size = BIO_get_mem_data(memory, &data);
    return {data, static_cast<std::size_t>(size)};
  }

  static std::string certificate_pem(X509* certificate) {
    Bio const text(BIO_new(BIO_s_mem()), BIO_free);
    require(PEM_write_bio_X509(text.get(), certificate) == 1);
    return contents(text.get());
  }

  Key key_;
  Certificate certificate_;
};

}  // namespace onetap::tests
