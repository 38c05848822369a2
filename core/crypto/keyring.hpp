#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/exchange/ledger.hpp"
#include "core/secret.hpp"

namespace onetap::core::crypto {

/// What a secret in the ledger is. Part of what its seal covers, so these figures never change.
enum class SealedField : unsigned char {
  number = 1,
  session_key = 2,
  openid = 3,
  pepper = 4,
  access_token = 5
};

/// Tells one data key from another, and nothing about either.
using KeyId = std::array<unsigned char, 8>;

/// A secret that was opened.
using ClearText = Confidential<struct ClearTextTag>;

/// The keys of one ledger: the pepper that digests codes, callers, users and numbers, which is the ledger's
/// for life, and the keys that seal its secrets (AES-256-GCM), of which the newest seals and each opens.
/// All come from data keys (HKDF-SHA256, one label each). Holds them; prints nothing.
class Keyring {
 public:
  using DataKeyBytes = std::span<unsigned char const, 32>;

  /// Of a new ledger: its pepper comes from its first data key.
  explicit Keyring(DataKeyBytes data_key);

  /// Of a ledger that holds its pepper (as sealed_pepper() made it); none when this is not its data key, or
  /// the bytes are damaged.
  [[nodiscard]] static std::optional<Keyring> of_ledger(DataKeyBytes data_key,
                                                        SealedBytes const& sealed_pepper);

  Keyring(Keyring const&);
  Keyring& operator=(Keyring const&) = delete;
  ~Keyring();

  /// HMAC-SHA256(pepper, appid \n SHA-256 hex of the code), as the contract says.
  [[nodiscard]] CodeKey code_key(std::string_view appid, Code const& code) const;
  /// The same of a code that only its page has seen: `code_digest` is its SHA-256, 64 lower-case hex digits.
  [[nodiscard]] CodeKey code_key_of_digest(std::string_view appid, std::string_view code_digest) const;
  /// How a page's encryptedData is known: never as a code's.
  [[nodiscard]] CodeKey blob_key(std::string_view appid, std::string_view encrypted_data) const;
  /// Who presents a code without a session.
  [[nodiscard]] CallerKey caller_key(std::string_view appid, IdempotencyKey const& key) const;
  /// A user of a mini program: who presents a code with a session.
  [[nodiscard]] CallerKey user_key(std::string_view appid, std::string_view openid) const;
  [[nodiscard]] Digest phone_key(PhoneNumber const& number) const;
  /// Tells a session_key that came again from a new one.
  [[nodiscard]] Digest session_key_digest(SessionKey const& session_key) const;

  /// The data key's, as a ledger keeps it to notice another key: says nothing about the key itself.
  [[nodiscard]] Digest fingerprint() const;
  [[nodiscard]] static Digest fingerprint_of(DataKeyBytes data_key);
  [[nodiscard]] static KeyId key_id_of(Digest const& fingerprint);

  /// Seals a secret of one row: it opens as this field of this row, and as nothing else.
  /// Format: 1 byte version (1) · 8 bytes key id · 12 bytes nonce · ciphertext · 16 bytes tag; the tag
  /// covers version, key id, field and row, too.
  [[nodiscard]] SealedBytes seal(SealedField field, std::int64_t row, std::string_view secret) const;

  /// None when the bytes are not what seal() made for this field of this row under a key of this ring.
  [[nodiscard]] std::optional<ClearText> open(SealedField field, std::int64_t row,
                                              SealedBytes const& sealed) const;

  /// Tells a missing key from damage, when something does not open.
  [[nodiscard]] bool has_key_of(SealedBytes const& sealed) const;

  /// The number that a code, or a blob, brought.
  [[nodiscard]] SealedBytes seal(CodeKey const& code_key, PhoneNumber const& number) const;
  [[nodiscard]] std::optional<PhoneNumber> open(CodeKey const& code_key, SealedBytes const& sealed) const;

  /// For the ledger to keep.
  [[nodiscard]] SealedBytes sealed_pepper() const;

  /// Seals with another data key from now on; what others sealed still opens.
  void seal_with(DataKeyBytes data_key);
  /// Seals again with the key before seal_with(), whose key still opens what it sealed meanwhile.
  void seal_with_previous();

 private:
  class SealingKey;

  Keyring(Digest const& pepper, DataKeyBytes data_key);

  [[nodiscard]] SealingKey const* find_key(SealedBytes const& sealed) const;

  Digest pepper_{};
  std::vector<SealingKey> sealing_keys_;  // the last one seals
};

}  // namespace onetap::core::crypto
