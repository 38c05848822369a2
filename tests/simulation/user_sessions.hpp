#pragma once

#include <map>

#include "core/crypto/keyring.hpp"
#include "core/exchange/decryption.hpp"
#include "tests/simulation/spell.hpp"
#include "tests/simulation/witness.hpp"
#include "tests/support/memory_session_store.hpp"

namespace onetap::simulation {

/// The users who have logged in, each with WeChat's session_key; reading one takes its time.
class UserSessions final : public core::SessionStore {
 public:
  UserSessions(VirtualClock& clock, Random& random, Witness& witness, core::crypto::Keyring const& keyring)
      : clock_(clock), random_(random), witness_(witness), keyring_(keyring) {}

  void use(Spell const& spell) { spell_ = &spell; }

  /// What the page gets beside a code: the user's number, encrypted for the session that this opens.
  [[nodiscard]] core::EncryptedPhone log_in(int code, Who who, std::string const& number);

  [[nodiscard]] core::Task<bool> add_login(core::LoginRow login) override {
    return behind_.add_login(std::move(login));
  }
  [[nodiscard]] core::Task<bool> change_sessions(core::SessionChanges changes) override {
    return behind_.change_sessions(std::move(changes));
  }
  [[nodiscard]] core::Task<std::optional<std::vector<core::SealedBytes>>> session_keys(
      core::CallerKey user) override;

 private:
  VirtualClock& clock_;
  Random& random_;
  Witness& witness_;
  core::crypto::Keyring const& keyring_;
  Spell const* spell_ = &calm();
  tests::MemorySessionStore behind_;
  std::map<core::CallerKey, int> code_of_user_;
};

}  // namespace onetap::simulation
