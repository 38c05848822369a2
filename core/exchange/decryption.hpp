#pragma once

#include <string>
#include <variant>

#include "core/clock.hpp"
#include "core/crypto/keyring.hpp"
#include "core/gate/session_store.hpp"
#include "core/secret.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// What old base libraries got instead of a code, and newer ones get beside it: base64, as it came.
struct EncryptedPhone {
  std::string encrypted_data;
  std::string iv;
};

/// It does not decrypt, or is not a number of this mini program of just now: one answer for every cause.
struct Undecryptable {};

/// The user's session_keys could not be read: nothing is known of the data.
struct NoSessionKeys {};

using DecryptResult = std::variant<PhoneNumber, Undecryptable, NoSessionKeys>;

/// Reads a number under the user's session_keys, the newest first. `store` and `keyring` outlive it.
[[nodiscard]] Task<DecryptResult> decrypt_phone(SessionStore& store, crypto::Keyring const& keyring,
                                                EncryptedPhone encrypted, std::string appid, CallerKey user,
                                                WallTime now);

}  // namespace onetap::core
