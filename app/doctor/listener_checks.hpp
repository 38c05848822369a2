#pragma once

#include <span>
#include <string>
#include <string_view>
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
/// files that ONETAP_APPS names, the listener's key, the data key and the ledger.
[[nodiscard]] std::vector<std::string> secret_files(Settings const& settings, Environment const& environment,
                                                    std::span<std::string const> arguments);

/// As a word of a shell's command line: quoted only where it must be.
[[nodiscard]] std::string quoted_for_shell(std::string_view path);

/// WeChat's message push as it is set up here; `path` is what the console's URL ends with.
[[nodiscard]] Finding judge_push(core::PushSecrets const& push, std::string const& path);

/// Of each mini program. Only what is configured: WeChat tells nobody what is entered in its console.
[[nodiscard]] Findings examine_push(Settings const& settings);

/// Whether others than owner and group may read or write one.
[[nodiscard]] Findings examine_file_modes(std::span<std::string const> files);

}  // namespace onetap::app
