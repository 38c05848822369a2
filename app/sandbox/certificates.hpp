#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"

struct evp_pkey_st;
struct x509_st;

namespace onetap::app {

struct Validity {
  core::WallTime from;
  core::WallTime until;
};

/// From an hour before `now` (clocks differ) to 30 days after it.
[[nodiscard]] Validity throwaway_validity(core::WallTime now);

/// What a server certificate is made out to. The defaults are where a sandbox is met: this machine, and
/// the name of the host it stands in for.
struct ServerNames {
  std::vector<std::string> dns_names{"localhost", "api.weixin.qq.com"};
  std::vector<std::string> addresses{"127.0.0.1", "::1"};  // IP literals
};

/// A certificate and its private key, as PEM texts.
struct CertificateWithKey {
  std::string certificate_pem;
  std::string key_pem;
};

/// A certificate authority for one run: ECDSA P-256, made in memory, nothing on disk. Throws
/// std::runtime_error with OpenSSL's reason where a certificate cannot be made.
class ThrowawayAuthority {
 public:
  explicit ThrowawayAuthority(Validity const& validity);

  /// What clients have to trust.
  [[nodiscard]] std::string ca_pem() const;

  /// A server's certificate, signed by this authority; an expired one is made by its validity.
  [[nodiscard]] CertificateWithKey issue(ServerNames const& names, Validity const& validity) const;

 private:
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> certificate_;
};

}  // namespace onetap::app
