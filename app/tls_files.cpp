#include "app/tls_files.hpp"

#include <fstream>

#include "storage/lock_file.hpp"

namespace onetap::app {
namespace {

using Tls = core::Result<net::TlsContext, std::string>;
using Files = core::Result<CertificateWithKey, std::string>;

std::string unreadable(std::string_view variable, std::string const& path, std::string const& reason) {
  return std::string(variable) + ": cannot read " + path + ": " + reason;
}

CertificateWithKey make_sandbox_pair(Settings const& settings, core::WallTime now) {
  ThrowawayAuthority const authority(throwaway_validity(now));
  std::ofstream(sandbox_ca_path(settings), std::ios::trunc) << authority.ca_pem();
  return authority.issue(ServerNames(), throwaway_validity(now));
}

}  // namespace

Tls load_wechat_tls(Settings const& settings, std::string const& sandbox_ca_pem) {
  std::string ca_pem = sandbox_ca_pem;
  if (ca_pem.empty() && !settings.wechat_ca_path.empty()) {
    auto text = read_text_file(settings.wechat_ca_path);
    if (!text) return unreadable("ONETAP_WECHAT_CA", settings.wechat_ca_path, text.error());
    ca_pem = std::move(*text);
  }
  auto made = net::TlsContext::client(ca_pem);
  if (!made) return "ONETAP_WECHAT_CA: " + made.error();
  return *made;
}

Files read_listener_files(Settings const& settings) {
  auto certificate = read_text_file(settings.tls_certificate_path);
  if (!certificate)
    return Files(boost::system::in_place_error,
                 unreadable("ONETAP_TLS_CERT", settings.tls_certificate_path, certificate.error()));
  auto key = read_text_file(settings.tls_key_path);
  if (!key)
    return Files(boost::system::in_place_error,
                 unreadable("ONETAP_TLS_KEY", settings.tls_key_path, key.error()));
  return CertificateWithKey{.certificate_pem = std::move(*certificate), .key_pem = std::move(*key)};
}

Tls load_listener_tls(Settings const& settings, core::WallTime now) {
  Files const pair = settings.tls_certificate_path.empty() ? Files(make_sandbox_pair(settings, now))
                                                           : read_listener_files(settings);
  if (!pair) return pair.error();
  auto made = net::TlsContext::server(pair->certificate_pem, pair->key_pem);
  if (!made) return "ONETAP_TLS_CERT, ONETAP_TLS_KEY: " + made.error();
  return *made;
}

std::string sandbox_ca_path(Settings const& settings) {
  return storage::canonical_database(settings.database_path).string() + ".ca.pem";
}

}  // namespace onetap::app
