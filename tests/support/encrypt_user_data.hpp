#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/crypto/digest.hpp"

namespace onetap::tests {

/// AES-128-CBC as WeChat does it; `key` and `iv` are 16 bytes. Without padding, `clear` must be whole blocks.
inline std::string encrypt_user_data(std::string_view clear, std::string_view key, std::string_view iv,
                                     bool padded = true) {
  auto const bytes = [](std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
  };
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> const context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  std::string data(clear.size() + 16, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(data.data());
  int written = 0;
  int rest = 0;
  bool const done =
      EVP_EncryptInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, bytes(key), bytes(iv)) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), padded ? 1 : 0) == 1 &&
      EVP_EncryptUpdate(context.get(), out, &written, bytes(clear), static_cast<int>(clear.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), out + written, &rest) == 1;
  if (!done) throw std::runtime_error("a test's data could not be encrypted");
  auto const size = static_cast<std::size_t>(written) + static_cast<std::size_t>(rest);
  return core::crypto::to_base64({out, size});
}

/// What WeChat says of a user's number (facts/wechat-api.md §5).
inline std::string phone_user_data(std::string_view number, std::string_view appid,
                                   std::int64_t timestamp_s) {
  return R"({"phoneNumber":")" + std::string(number) + R"(","purePhoneNumber":")" + std::string(number) +
         R"(","countryCode":"86","watermark":{"appid":")" + std::string(appid) + R"(","timestamp":)" +
         std::to_string(timestamp_s) + "}}";
}

}  // namespace onetap::tests
