#pragma once

#include <string>

#include "app/sandbox/certificates.hpp"
#include "app/settings.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "net/tls_context.hpp"

namespace onetap::app {

/// Whom to trust at WeChat's end: the sandbox's authority where there is a sandbox (empty: none), else that
/// of ONETAP_WECHAT_CA, else the system's store. A sentence when it cannot be used.
[[nodiscard]] core::Result<net::TlsContext, std::string> load_wechat_tls(Settings const& settings,
                                                                         std::string const& sandbox_ca_pem);

/// What ONETAP_TLS_CERT and ONETAP_TLS_KEY name, unjudged; a sentence when one cannot be read.
[[nodiscard]] core::Result<CertificateWithKey, std::string> read_listener_files(Settings const& settings);

/// The public listener's certificate and key, as the operator gave them or, in the sandbox, made now.
[[nodiscard]] core::Result<net::TlsContext, std::string> load_listener_tls(Settings const& settings,
                                                                           core::WallTime now);

/// Where the sandbox's certificate authority is put, for `curl --cacert`; made anew at each start.
[[nodiscard]] std::string sandbox_ca_path(Settings const& settings);

}  // namespace onetap::app
