#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

struct x509_st;

namespace onetap::net {

/// What an operator wants to know of a server's certificate.
struct CertificateFacts {
  std::vector<std::string> names;  // DNS names and addresses it is made out to
  core::WallTime from;
  core::WallTime until;
};

[[nodiscard]] CertificateFacts facts_of(x509_st const& certificate);

/// Of the first certificate in a PEM text; a sentence when there is none.
[[nodiscard]] core::Result<CertificateFacts, std::string> read_certificate_facts(std::string_view chain_pem);

/// Why a client that trusts `authorities_pem` (empty: the system's store) would not follow this chain to one
/// of them, in OpenSSL's words; none when it would. Names and times are not judged.
[[nodiscard]] std::optional<std::string> chain_fault(std::string_view chain_pem,
                                                     std::string_view authorities_pem);

}  // namespace onetap::net
