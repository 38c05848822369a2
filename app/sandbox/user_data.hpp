#pragma once

#include <string>
#include <string_view>

namespace onetap::app {

/// What a page gets beside a code: encryptedData and iv, base64.
struct EncryptedUserData {
  std::string encrypted_data;
  std::string iv;
};

/// AES-128-CBC with PKCS#7, as WeChat encrypts (facts/wechat-api.md §5). `session_key` is base64 of 16 bytes,
/// `iv` has 16 bytes.
[[nodiscard]] EncryptedUserData encrypt_user_data(std::string_view text, std::string_view session_key,
                                                  std::string_view iv);

}  // namespace onetap::app
