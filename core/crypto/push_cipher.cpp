#include "core/crypto/push_cipher.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "core/crypto/cipher.hpp"
#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::core::crypto {
namespace {

constexpr std::size_t block_bytes = 16;
constexpr std::size_t padded_to_bytes = 32;
constexpr std::size_t key_characters = 43;
constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

using KeyBytes = Confidential<struct KeyBytesTag>;

// A fetch searches the providers, so it is done once.
EVP_CIPHER const* fetched_aes_256_cbc() {
  static Cipher const cipher = fetch_cipher("AES-256-CBC");
  return cipher.get();
}

unsigned char const* unsigned_bytes(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

// 43 characters hold two bits more than 32 bytes do. WeChat's console takes any letter or digit for the last
// one, and strict base64 only those that leave the two bits clear.
std::optional<KeyBytes> key_bytes_of(PushAesKey const& key) {
  if (!is_push_aes_key(key.reveal())) return std::nullopt;
  constexpr std::size_t stray_bits = 3;
  std::size_t const last = base64_alphabet.find(key.reveal().back());
  std::string text(key.reveal());
  text.back() = base64_alphabet[last & ~stray_bits];
  KeyBytes const canonical(text + "=");
  auto bytes = from_base64(canonical.reveal());
  require(bytes.has_value(), "an EncodingAESKey's base64");
  return KeyBytes(std::move(*bytes));
}

// None where it is no padding.
std::optional<std::string> without_padding(std::string text) {
  std::size_t const size = static_cast<unsigned char>(text.back());
  if (size == 0 || size > padded_to_bytes || size > text.size()) return std::nullopt;
  std::string_view const padding = std::string_view(text).substr(text.size() - size);
  if (!std::ranges::all_of(padding, [&](char byte) { return byte == text.back(); })) return std::nullopt;
  text.resize(text.size() - size);
  return text;
}

}  // namespace

bool is_push_aes_key(std::string_view text) {
  return text.size() == key_characters && std::ranges::all_of(text, is_letter_or_digit);
}

std::optional<std::string> open_push(std::string_view encrypted, PushAesKey const& key) {
  auto const key_bytes = key_bytes_of(key);
  auto const data = from_base64(encrypted);
  bool const usable = key_bytes && data && !data->empty() && data->size() % block_bytes == 0 &&
                      data->size() <= limits::body_bytes_max;
  if (!usable) return std::nullopt;

  CipherContext const context = new_cipher_context();
  unsigned char const* const key_data = unsigned_bytes(key_bytes->reveal());
  require(EVP_DecryptInit_ex2(context.get(), fetched_aes_256_cbc(), key_data, key_data, nullptr) == 1,
          "EVP_DecryptInit_ex2");
  // OpenSSL would not accept a padding of more than one block.
  require(EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1, "EVP_CIPHER_CTX_set_padding");
  std::string clear(data->size() + block_bytes, '\0');
  int written = 0;
  require(EVP_DecryptUpdate(context.get(), reinterpret_cast<unsigned char*>(clear.data()), &written,
                            unsigned_bytes(*data), static_cast<int>(data->size())) == 1,
          "EVP_DecryptUpdate");
  require(static_cast<std::size_t>(written) == data->size(), "EVP_DecryptUpdate's size");
  clear.resize(data->size());
  return without_padding(std::move(clear));
}

}  // namespace onetap::core::crypto
