#include "net/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <ctime>
#include <memory>

namespace onetap::net {
namespace {

namespace ip = boost::asio::ip;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

core::WallTime wall_time_of(ASN1_TIME const* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return core::WallTime(core::seconds(::timegm(&parts)));
}

std::string text_of(ASN1_STRING const* text) {
  auto const* const bytes = reinterpret_cast<char const*>(ASN1_STRING_get0_data(text));
  return {bytes, static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_of(ASN1_OCTET_STRING const* address) {
  unsigned char const* const bytes = ASN1_STRING_get0_data(address);
  int const size = ASN1_STRING_length(address);
  ip::address_v4::bytes_type v4{};
  ip::address_v6::bytes_type v6{};
  if (size == static_cast<int>(v4.size())) {
    std::copy_n(bytes, v4.size(), v4.begin());
    return ip::address_v4(v4).to_string();
  }
  if (size != static_cast<int>(v6.size())) return {};
  std::copy_n(bytes, v6.size(), v6.begin());
  return ip::address_v6(v6).to_string();
}

std::vector<std::string> names_of(X509 const& certificate) {
  using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;
  Names const listed(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      GENERAL_NAMES_free);
  std::vector<std::string> names;
  for (int i = 0; listed && i < sk_GENERAL_NAME_num(listed.get()); ++i) {
    GENERAL_NAME const* const name = sk_GENERAL_NAME_value(listed.get(), i);
    if (name->type == GEN_DNS) names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) names.push_back(address_of(name->d.iPAddress));
  }
  return names;
}

std::vector<Certificate> read_all(std::string_view pem) {
  Bio const text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  std::vector<Certificate> all;
  while (X509* const next = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr))
    all.emplace_back(next, X509_free);
  ERR_clear_error();
  return all;
}

}  // namespace

CertificateFacts facts_of(x509_st const& certificate) {
  return {.names = names_of(certificate),
          .from = wall_time_of(X509_get0_notBefore(&certificate)),
          .until = wall_time_of(X509_get0_notAfter(&certificate))};
}

core::Result<CertificateFacts, std::string> read_certificate_facts(std::string_view chain_pem) {
  std::vector<Certificate> const chain = read_all(chain_pem);
  if (chain.empty()) return std::string("no PEM certificate in it");
  return facts_of(*chain.front());
}

std::optional<std::string> chain_fault(std::string_view chain_pem, std::string_view authorities_pem) {
  std::vector<Certificate> const chain = read_all(chain_pem);
  if (chain.empty()) return "no PEM certificate in it";
  std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> const store(X509_STORE_new(), X509_STORE_free);
  std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> const rest(
      sk_X509_new_null(), [](STACK_OF(X509) * stack) { sk_X509_free(stack); });
  std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> const context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  if (!store || !rest || !context) throw std::bad_alloc();
  if (authorities_pem.empty()) X509_STORE_set_default_paths(store.get());
  for (Certificate const& authority : read_all(authorities_pem))
    X509_STORE_add_cert(store.get(), authority.get());
  for (Certificate const& each : chain) sk_X509_push(rest.get(), each.get());
  X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), rest.get());
  X509_VERIFY_PARAM* const asked = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(asked, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_flags(asked, X509_V_FLAG_NO_CHECK_TIME);
  bool const led_there = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (led_there) return std::nullopt;
  return std::string(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
}

}  // namespace onetap::net
