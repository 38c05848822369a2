#pragma once

#include <string_view>

#include "core/exchange/ledger.hpp"
#include "net/api/body_reader.hpp"

namespace onetap::net {

/// Quick where the body names none.
[[nodiscard]] core::Kind read_kind(BodyReader& body);

/// The button's name; empty where the body has none.
[[nodiscard]] std::string_view read_scene(BodyReader& body);

}  // namespace onetap::net
