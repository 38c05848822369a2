#include "app/sandbox/user_data.hpp"

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <stdexcept>

#include "core/crypto/digest.hpp"

namespace onetap::app {
namespace {

unsigned char const* bytes_of(std::string_view text) {
  return reinterpret_cast<unsigned char const*>(text.data());
}

void require(bool done) {
  if (!done) throw std::runtime_error("OpenSSL cannot encrypt AES-128-CBC");
}

}  // namespace

EncryptedUserData encrypt_user_data(std::string_view text, std::string_view session_key,
                                    std::string_view iv) {
  auto const key = core::crypto::from_base64(session_key);
  constexpr std::size_t block_bytes = 16;
  if (!key || key->size() != block_bytes || iv.size() != block_bytes)
    throw std::logic_error("an AES-128 key and IV have 16 bytes");
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&::EVP_CIPHER_CTX_free)> const context(::EVP_CIPHER_CTX_new(),
                                                                                  &::EVP_CIPHER_CTX_free);
  require(context != nullptr);
  require(::EVP_EncryptInit_ex(context.get(), ::EVP_aes_128_cbc(), nullptr, bytes_of(*key), bytes_of(iv)) ==
          1);
  std::string sealed(text.size() + block_bytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(sealed.data());
  int written = 0;
  int last = 0;
  require(::EVP_EncryptUpdate(context.get(), out, &written, bytes_of(text), static_cast<int>(text.size())) ==
          1);
  require(::EVP_EncryptFinal_ex(context.get(), out + written, &last) == 1);
  sealed.resize(static_cast<std::size_t>(written) + static_cast<std::size_t>(last));
  return {.encrypted_data = core::crypto::to_base64(std::span(bytes_of(sealed), sealed.size())),
          .iv = core::crypto::to_base64(std::span(bytes_of(iv), iv.size()))};
}

}  // namespace onetap::app
