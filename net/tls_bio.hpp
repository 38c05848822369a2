#pragma once

#include <string>
#include <string_view>

struct bio_method_st;
struct bio_st;

namespace onetap::net {

/// What OpenSSL reads from and writes to: the bytes of the wire, without a socket behind them.
struct TlsWire {
  std::string_view incoming;  // received and not yet consumed by OpenSSL
  std::string outgoing;       // made by OpenSSL and not yet sent
  bool ended = false;         // nothing more will come in
};

/// For TlsContext, which owns one for all its connections.
[[nodiscard]] bio_method_st* new_tls_bio_method();
void free_tls_bio_method(bio_method_st* method);

/// A BIO on `wire`, which must outlive it.
[[nodiscard]] bio_st* new_tls_bio(bio_method_st* method, TlsWire& wire);

}  // namespace onetap::net
