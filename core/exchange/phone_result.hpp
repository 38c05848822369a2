#pragma once

#include <variant>

#include "core/exchange/ledger.hpp"
#include "core/exchange/problem.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// What a caller hears of its code, or of what came encrypted.
struct PhoneResult {
  std::variant<PhoneNumber, Problem> answer;
  Kind kind = Kind::quick;  // as first presented
  bool replayed = false;
};

}  // namespace onetap::core
