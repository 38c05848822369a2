#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace onetap::core::crypto {

/// Whether `text` can be an EncodingAESKey: 43 letters and digits.
[[nodiscard]] bool is_push_aes_key(std::string_view text);

/// The clear text of a push's `Encrypt`: strict base64 of AES-256-CBC, whose key is base64 of `key` and "="
/// and whose IV is the key's first half; padded as PKCS#7 does, but to 32 bytes
/// (https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html). None,
/// whatever is wrong. Nothing in it is authenticated: msg_signature is, over `encrypted`.
[[nodiscard]] std::optional<std::string> open_push(std::string_view encrypted, PushAesKey const& key);

}  // namespace onetap::core::crypto
