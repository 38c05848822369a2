#pragma once

#include <span>

#include "core/embedded_file.hpp"

namespace onetap::app {

/// The files of app/sandbox/page, in the binary.
[[nodiscard]] std::span<core::EmbeddedFile const> embedded_page();

}  // namespace onetap::app
