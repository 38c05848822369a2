#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "net/certificate.hpp"

struct ssl_ctx_st;
struct ssl_st;
struct bio_method_st;

namespace onetap::net {

/// OpenSSL's SSL_CTX for one side of TLS 1.2 and 1.3. Cheap to copy: connections keep what they were
/// opened with alive, so a listener can swap its certificate at any time.
class TlsContext {
 public:
  /// A server's: PEM texts of the certificate chain and its key. The reason is a sentence for the operator.
  [[nodiscard]] static core::Result<TlsContext, std::string> server(std::string_view certificate_pem,
                                                                    std::string_view key_pem);

  /// A server's: why its certificate is of no use at this time; none when it is good.
  [[nodiscard]] std::optional<std::string> validity_fault(core::WallTime now) const;

  /// A server's certificate; none at a client's.
  [[nodiscard]] std::optional<CertificateFacts> certificate() const;

  /// A client's, which verifies chain and host name. `ca_pem` empty: the system's store.
  [[nodiscard]] static core::Result<TlsContext, std::string> client(std::string_view ca_pem);

  /// A server's: tickets are sealed with a new key from now on; those of the key before are still taken,
  /// older ones lead to a full handshake.
  void rotate_ticket_keys();

  /// A client's, for a connection that has not begun: it will ask for `host`, verify that the certificate
  /// names it, and resume the host's newest session.
  void aim(ssl_st* connection, std::string const& host) const;

  /// A client's: the next handshakes are full ones.
  void forget_sessions();

  /// Of the host that `connection` was aimed at; nothing at a server's.
  static void forget_session(ssl_st* connection);

  [[nodiscard]] ssl_ctx_st* native() const { return context_.get(); }
  [[nodiscard]] bio_method_st* bio_method() const { return bio_method_.get(); }

 private:
  struct TicketKeys;
  struct Sessions;

  TlsContext();
  std::shared_ptr<ssl_ctx_st> context_;
  std::shared_ptr<bio_method_st> bio_method_;
  std::shared_ptr<TicketKeys> ticket_keys_;  // null at a client's
  std::shared_ptr<Sessions> sessions_;       // null at a server's
};

}  // namespace onetap::net
