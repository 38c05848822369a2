#pragma once

#include <span>

#include "core/embedded_file.hpp"

namespace onetap::app {

/// The files of app/dashboard, in the binary.
[[nodiscard]] std::span<core::EmbeddedFile const> embedded_dashboard();

}  // namespace onetap::app
