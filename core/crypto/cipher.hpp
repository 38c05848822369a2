#pragma once

#include <openssl/evp.h>

#include <memory>

namespace onetap::core::crypto {

/// What OpenSSL promises and did not keep: std::runtime_error. `what` is static text, without secrets.
void require(bool succeeded, char const* what);

struct CipherContextFree {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextFree>;

[[nodiscard]] CipherContext new_cipher_context();

struct CipherFree {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, CipherFree>;

/// By OpenSSL's name of it ("AES-256-GCM"). It searches the providers: once is enough for each.
[[nodiscard]] Cipher fetch_cipher(char const* name);

}  // namespace onetap::core::crypto
