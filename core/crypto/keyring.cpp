#include "core/crypto/keyring.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/crypto/cipher.hpp"
#include "core/crypto/digest.hpp"

namespace onetap::core::crypto {

namespace {

constexpr std::string_view pepper_label = "onetap pepper v1";
constexpr std::string_view sealing_label = "onetap seal v1";
constexpr std::string_view blob_label = "onetap blob v1";
constexpr std::string_view caller_label = "onetap caller v1";
constexpr std::string_view user_label = "onetap user v1";
constexpr std::string_view session_key_label = "onetap session_key v1";
constexpr std::string_view phone_label = "onetap phone v1";
constexpr std::string_view fingerprint_label = "onetap fingerprint v1";

constexpr unsigned char sealed_version = 1;
constexpr std::size_t key_id_bytes = std::tuple_size_v<KeyId>;
constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t head_bytes = 1 + key_id_bytes;
constexpr std::size_t frame_bytes = head_bytes + nonce_bytes + tag_bytes;

// The one row of the ledger's table meta.
constexpr std::int64_t pepper_row = 1;

// A fetch searches the providers, so it is done once.
EVP_CIPHER const* fetched_aes_256_gcm() {
  static Cipher const cipher = fetch_cipher("AES-256-GCM");
  return cipher.get();
}

/// Bytes in the clear; wiped when they go. Never grows, so that no copy stays behind.
class ClearBytes {
 public:
  explicit ClearBytes(std::size_t size) : bytes_(size) {}
  ClearBytes(ClearBytes const&) = delete;
  ClearBytes& operator=(ClearBytes const&) = delete;
  ~ClearBytes() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  [[nodiscard]] unsigned char* data() { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<char const*>(bytes_.data()), bytes_.size()};
  }

 private:
  std::vector<unsigned char> bytes_;
};

constexpr std::size_t length_bytes = 4;

/// Writes `text` behind its length (32 bits, big-endian) and returns where the next one goes.
unsigned char* write_text(unsigned char* to, std::string_view text) {
  for (unsigned shift = 32; shift > 0; shift -= 8) {
    *to++ = static_cast<unsigned char>(text.size() >> (shift - 8));
  }
  return std::ranges::copy(text, to).out;
}

/// Takes what write_text wrote from the front of `bytes`.
std::optional<std::string> read_text(std::string_view& bytes) {
  if (bytes.size() < length_bytes) return std::nullopt;
  std::size_t size = 0;
  for (char const byte : bytes.substr(0, length_bytes)) size = size << 8U | static_cast<unsigned char>(byte);
  bytes.remove_prefix(length_bytes);
  if (bytes.size() < size) return std::nullopt;
  std::string text(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return text;
}

std::optional<PhoneNumber> read_number(std::string_view bytes) {
  std::optional<std::string> phone_number = read_text(bytes);
  std::optional<std::string> pure_phone_number = read_text(bytes);
  std::optional<std::string> country_code = read_text(bytes);
  if (!phone_number || !pure_phone_number || !country_code || !bytes.empty()) return std::nullopt;
  return PhoneNumber{
      .phone_number = Confidential<PhoneNumberTag>(*std::move(phone_number)),
      .pure_phone_number = Confidential<PurePhoneNumberTag>(*std::move(pure_phone_number)),
      .country_code = *std::move(country_code),
  };
}

/// What the tag covers beside the ciphertext: the head of the sealed bytes, and what and whose they are.
std::string associated_data(std::span<unsigned char const> head, SealedField field, std::int64_t row) {
  std::string data(head.begin(), head.end());
  data += static_cast<char>(field);
  for (unsigned shift = 64; shift > 0; shift -= 8) {
    data += static_cast<char>(static_cast<std::uint64_t>(row) >> (shift - 8) & 0xFFU);
  }
  return data;
}

unsigned char const* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

int to_int(std::size_t size) {
  require(size <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "size");
  return static_cast<int>(size);
}

/// Two texts under the pepper. Their digests are joined, so no two pairs make the same message; the end
/// of line sets it apart from code_key's, which ends with a hex digit.
Digest keyed_digest(Digest const& pepper, std::string_view label, std::string_view first,
                    std::string_view second) {
  std::string message(label);
  message += '\n';
  message += to_hex(sha256(first));
  message += '\n';
  message += to_hex(sha256(second));
  message += '\n';
  return hmac_sha256(pepper, message);
}

}  // namespace

/// Wiped when it goes, also when the vector of them grows.
class Keyring::SealingKey {
 public:
  explicit SealingKey(DataKeyBytes data_key)
      : bytes_(hkdf_sha256(data_key, sealing_label)), fingerprint_(hmac_sha256(bytes_, fingerprint_label)) {}
  SealingKey(SealingKey const&) = default;
  SealingKey& operator=(SealingKey const&) = default;
  ~SealingKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  [[nodiscard]] unsigned char const* data() const { return bytes_.data(); }
  [[nodiscard]] Digest const& fingerprint() const { return fingerprint_; }

 private:
  Digest bytes_;
  Digest fingerprint_;
};

Keyring::Keyring(DataKeyBytes data_key) : Keyring(hkdf_sha256(data_key, pepper_label), data_key) {}

Keyring::Keyring(Digest const& pepper, DataKeyBytes data_key)
    : pepper_(pepper), sealing_keys_{SealingKey(data_key)} {}

Keyring::Keyring(Keyring const&) = default;

Keyring::~Keyring() { OPENSSL_cleanse(pepper_.data(), pepper_.size()); }

std::optional<Keyring> Keyring::of_ledger(DataKeyBytes data_key, SealedBytes const& sealed_pepper) {
  Keyring keyring(Digest{}, data_key);
  auto const pepper = keyring.open(SealedField::pepper, pepper_row, sealed_pepper);
  if (!pepper || pepper->reveal().size() != keyring.pepper_.size()) return std::nullopt;
  std::ranges::copy(pepper->reveal(), keyring.pepper_.begin());
  return keyring;
}

CodeKey Keyring::code_key(std::string_view appid, Code const& code) const {
  return code_key_of_digest(appid, to_hex(sha256(code.reveal())));
}

CodeKey Keyring::code_key_of_digest(std::string_view appid, std::string_view code_digest) const {
  std::string message(appid);
  message += '\n';
  message += code_digest;
  return CodeKey{.digest = hmac_sha256(pepper_, message)};
}

CodeKey Keyring::blob_key(std::string_view appid, std::string_view encrypted_data) const {
  return CodeKey{.digest = keyed_digest(pepper_, blob_label, appid, encrypted_data)};
}

CallerKey Keyring::caller_key(std::string_view appid, IdempotencyKey const& key) const {
  return CallerKey{.digest = keyed_digest(pepper_, caller_label, appid, key.reveal())};
}

CallerKey Keyring::user_key(std::string_view appid, std::string_view openid) const {
  return CallerKey{.digest = keyed_digest(pepper_, user_label, appid, openid)};
}

Digest Keyring::session_key_digest(SessionKey const& session_key) const {
  return keyed_digest(pepper_, session_key_label, session_key.reveal(), {});
}

Digest Keyring::phone_key(PhoneNumber const& number) const {
  return keyed_digest(pepper_, phone_label, number.country_code, number.pure_phone_number.reveal());
}

Digest Keyring::fingerprint() const { return sealing_keys_.back().fingerprint(); }

Digest Keyring::fingerprint_of(DataKeyBytes data_key) { return SealingKey(data_key).fingerprint(); }

KeyId Keyring::key_id_of(Digest const& fingerprint) {
  KeyId id{};
  std::copy_n(fingerprint.begin(), id.size(), id.begin());
  return id;
}

SealedBytes Keyring::seal(SealedField field, std::int64_t row, std::string_view secret) const {
  SealingKey const& key = sealing_keys_.back();
  SealedBytes sealed(frame_bytes + secret.size());
  sealed.front() = sealed_version;
  std::ranges::copy(key_id_of(key.fingerprint()), sealed.begin() + 1);
  std::span<unsigned char> const nonce = std::span(sealed).subspan(head_bytes, nonce_bytes);
  fill_random(nonce);
  unsigned char* const ciphertext = nonce.data() + nonce.size();
  unsigned char* const tag = ciphertext + secret.size();

  std::string const associated = associated_data(std::span(sealed).first(head_bytes), field, row);
  CipherContext const context = new_cipher_context();
  int written = 0;
  require(EVP_EncryptInit_ex2(context.get(), fetched_aes_256_gcm(), key.data(), nonce.data(), nullptr) == 1,
          "EVP_EncryptInit_ex2");
  require(EVP_EncryptUpdate(context.get(), nullptr, &written, unsigned_bytes(associated),
                            to_int(associated.size())) == 1,
          "EVP_EncryptUpdate");
  require(EVP_EncryptUpdate(context.get(), ciphertext, &written, unsigned_bytes(secret),
                            to_int(secret.size())) == 1,
          "EVP_EncryptUpdate");
  require(EVP_EncryptFinal_ex(context.get(), tag, &written) == 1, "EVP_EncryptFinal_ex");
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, tag) == 1, "GCM tag");
  return sealed;
}

std::optional<ClearText> Keyring::open(SealedField field, std::int64_t row, SealedBytes const& sealed) const {
  SealingKey const* const key = find_key(sealed);
  if (key == nullptr) return std::nullopt;
  std::span<unsigned char const> const nonce = std::span(sealed).subspan(head_bytes, nonce_bytes);
  ClearBytes clear(sealed.size() - frame_bytes);
  unsigned char const* const ciphertext = nonce.data() + nonce.size();
  std::array<unsigned char, tag_bytes> tag{};
  std::copy_n(ciphertext + clear.size(), tag.size(), tag.begin());

  std::string const associated = associated_data(std::span(sealed).first(head_bytes), field, row);
  CipherContext const context = new_cipher_context();
  int written = 0;
  require(EVP_DecryptInit_ex2(context.get(), fetched_aes_256_gcm(), key->data(), nonce.data(), nullptr) == 1,
          "EVP_DecryptInit_ex2");
  require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1, "GCM tag");
  require(EVP_DecryptUpdate(context.get(), nullptr, &written, unsigned_bytes(associated),
                            to_int(associated.size())) == 1,
          "EVP_DecryptUpdate");
  require(EVP_DecryptUpdate(context.get(), clear.data(), &written, ciphertext, to_int(clear.size())) == 1,
          "EVP_DecryptUpdate");
  std::array<unsigned char, tag_bytes> rest{};  // GCM leaves none; the call needs an address
  if (EVP_DecryptFinal_ex(context.get(), rest.data(), &written) != 1) return std::nullopt;
  return ClearText(std::string(clear.text()));
}

Keyring::SealingKey const* Keyring::find_key(SealedBytes const& sealed) const {
  if (sealed.size() < frame_bytes || sealed.front() != sealed_version) return nullptr;
  std::span<unsigned char const> const id = std::span(sealed).subspan(1, key_id_bytes);
  auto const found = std::ranges::find_if(sealing_keys_, [&](SealingKey const& key) {
    return std::ranges::equal(key_id_of(key.fingerprint()), id);
  });
  return found == sealing_keys_.end() ? nullptr : &*found;
}

bool Keyring::has_key_of(SealedBytes const& sealed) const { return find_key(sealed) != nullptr; }

SealedBytes Keyring::seal(CodeKey const& code_key, PhoneNumber const& number) const {
  std::string_view const phone_number = number.phone_number.reveal();
  std::string_view const pure_phone_number = number.pure_phone_number.reveal();
  ClearBytes clear(3 * length_bytes + phone_number.size() + pure_phone_number.size() +
                   number.country_code.size());
  unsigned char* end = write_text(clear.data(), phone_number);
  end = write_text(end, pure_phone_number);
  write_text(end, number.country_code);
  return seal(SealedField::number, row_of(code_key), clear.text());
}

std::optional<PhoneNumber> Keyring::open(CodeKey const& code_key, SealedBytes const& sealed) const {
  std::optional<ClearText> const clear = open(SealedField::number, row_of(code_key), sealed);
  return clear ? read_number(clear->reveal()) : std::nullopt;
}

SealedBytes Keyring::sealed_pepper() const {
  std::string_view const pepper(reinterpret_cast<char const*>(pepper_.data()), pepper_.size());
  return seal(SealedField::pepper, pepper_row, pepper);
}

void Keyring::seal_with(DataKeyBytes data_key) { sealing_keys_.emplace_back(data_key); }

void Keyring::seal_with_previous() {
  if (sealing_keys_.size() < 2) return;
  std::ranges::rotate(sealing_keys_, sealing_keys_.end() - 1);
}

}  // namespace onetap::core::crypto
