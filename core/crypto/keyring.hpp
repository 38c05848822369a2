#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/exchange/ledger.hpp"
#include "core/secret.hpp"

namespace onetap::core::crypto {

/// The keys derived from ONETAP_DATA_KEY (HKDF-SHA256, one label each): the pepper that digests codes,
/// callers and numbers, and the key that seals numbers (AES-256-GCM). Holds them; prints nothing.
class Keyring {
 public:
  /// `data_key` is 32 bytes.
  explicit Keyring(std::span<unsigned char const, 32> data_key);
  Keyring(Keyring const&) = delete;
  Keyring& operator=(Keyring const&) = delete;
  ~Keyring();

  /// HMAC-SHA256(pepper, appid \n SHA-256 hex of the code), as the contract says.
  [[nodiscard]] CodeKey code_key(std::string_view appid, Code const& code) const;
  [[nodiscard]] CallerKey caller_key(std::string_view appid, IdempotencyKey const& key) const;
  [[nodiscard]] Digest phone_key(PhoneNumber const& number) const;

  /// What a database keeps to notice another key: says nothing about the key itself.
  [[nodiscard]] Digest fingerprint() const;

  /// Seals a number for one consumption: another row's sealed bytes do not open.
  /// Format: 1 byte version (1) · 12 bytes nonce · ciphertext · 16 bytes tag.
  [[nodiscard]] SealedBytes seal(std::int64_t consumption, PhoneNumber const& number) const;

  /// None when the bytes are not what seal() made for this consumption under this key.
  [[nodiscard]] std::optional<PhoneNumber> open(std::int64_t consumption, SealedBytes const& sealed) const;

 private:
  Digest pepper_{};
  Digest sealing_key_{};
};

}  // namespace onetap::core::crypto
