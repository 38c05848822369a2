#pragma once

#include <cstdint>
#include <string>

#include "core/crypto/digest.hpp"
#include "core/exchange/ledger.hpp"

namespace onetap::tests {

/// Of one exchange as the benches write it, told by its number: always new, about as large as real ones.
inline core::Digest digest_of(std::uint64_t number) { return core::crypto::sha256(std::to_string(number)); }

inline core::Intent intent_of(std::uint64_t number, core::WallTime at) {
  core::Intent intent;
  intent.code_key = {digest_of(number)};
  intent.caller = core::CallerKey{intent.code_key.digest};
  intent.appid = "wx0123456789abcdef";
  intent.request_id = "01J" + std::to_string(1'000'000'000'000'000 + number);
  intent.scene = "login";
  intent.client_env = core::ClientEnv::release;
  intent.at = at;
  return intent;
}

inline core::Settlement outcome_of(core::AttemptId attempt, std::uint64_t number, core::WallTime at) {
  core::Settlement outcome;
  outcome.attempt = attempt;
  outcome.state = core::State::ok;
  outcome.errcode = 0;
  outcome.sealed_number.assign(110, static_cast<unsigned char>(number));
  outcome.phone_mask = "138****8000";
  outcome.phone_key = digest_of(number + 1);
  outcome.at = at;
  return outcome;
}

}  // namespace onetap::tests
