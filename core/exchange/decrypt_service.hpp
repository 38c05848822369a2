#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/clock.hpp"
#include "core/crypto/keyring.hpp"
#include "core/exchange/decryption.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/phone_result.hpp"
#include "core/exchange/problem.hpp"
#include "core/gate/session_store.hpp"
#include "core/log.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// What a page of an old base library presents: a number, encrypted for the user of its session.
struct DecryptRequest {
  EncryptedPhone encrypted;
  std::string appid;
  CallerKey user;
  Kind kind = Kind::quick;
  std::string request_id;
  ClientEnv client_env = ClientEnv::unknown;
};

/// One blob, one consumption, one answer: WeChat is not asked, for it has charged when the page got the blob.
class DecryptService {
 public:
  struct Ports {
    Clock& clock;
    Ledger& ledger;
    SessionStore& sessions;
    crypto::Keyring const& keyring;
    Log& log;
    /// Hears what each caller is told.
    std::function<void(std::string_view appid, PhoneResult const&)> answered = [](std::string_view,
                                                                                  PhoneResult const&) {};
  };

  explicit DecryptService(Ports ports) : ports_(std::move(ports)) {}

  /// Runs to its end whatever becomes of the caller. A blob that came before is answered from the ledger,
  /// whatever the user's session_keys are by now.
  [[nodiscard]] Task<PhoneResult> decrypt(DecryptRequest request);

 private:
  [[nodiscard]] Task<PhoneResult> answer(DecryptRequest request);
  [[nodiscard]] Task<PhoneResult> record(DecryptRequest request, CodeKey blob_key, PhoneNumber number);
  [[nodiscard]] PhoneResult replay(ledger::Stored const& stored, CodeKey const& blob_key) const;
  void log_decryption(DecryptRequest const& request, std::int64_t consumption) const;

  Ports ports_;
};

}  // namespace onetap::core
