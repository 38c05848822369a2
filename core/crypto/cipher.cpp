#include "core/crypto/cipher.hpp"

#include <stdexcept>
#include <string>

namespace onetap::core::crypto {

void require(bool succeeded, char const* what) {
  if (!succeeded) throw std::runtime_error(std::string("OpenSSL failed: ") + what);
}

CipherContext new_cipher_context() {
  CipherContext context(EVP_CIPHER_CTX_new());
  require(context != nullptr, "EVP_CIPHER_CTX_new");
  return context;
}

Cipher fetch_cipher(char const* name) {
  Cipher cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
  require(cipher != nullptr, name);
  return cipher;
}

}  // namespace onetap::core::crypto
