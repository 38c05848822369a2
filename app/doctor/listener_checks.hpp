#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/doctor/finding.hpp"
#include "app/settings.hpp"
#include "core/clock.hpp"
#include "net/certificate.hpp"

namespace onetap::app {

[[nodiscard]] Finding judge_certificate(net::CertificateFacts const& certificate, core::WallTime now);

/// The pages' listener: certificate and key, whether they fit, the chain, and how long it is good.
[[nodiscard]] Findings examine_listener(Settings const& settings, core::WallTime now);

/// Every file that holds a secret or a key, as the configuration names it: *_FILE and its flag, the
/// secretFiles of ONETAP_APPS, the listener's key, the data key and the ledger.
[[nodiscard]] std::vector<std::string> secret_files(Settings const& settings, Environment const& environment,
                                                    std::span<std::string const> arguments);

/// Whether others than owner and group may read or write one.
[[nodiscard]] Findings examine_file_modes(std::span<std::string const> files);

}  // namespace onetap::app
