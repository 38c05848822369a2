#pragma once

#include <optional>
#include <string_view>

#include "core/secret.hpp"

namespace onetap::core::crypto {

/// What WeChat encrypted for a mini program about one of its users.
using UserData = Confidential<struct UserDataTag>;

/// The clear text of a page's `encryptedData` (facts/wechat-api.md §5): AES-128-CBC with PKCS#7, all three
/// texts strict base64, key and IV 16 bytes, the data at most limits::encrypted_data_bytes_max characters.
/// None, whatever is wrong, and after the same work: the caller learns nothing of the padding. Nothing in it
/// is authenticated: only what the text says (its watermark) tells that it is WeChat's.
[[nodiscard]] std::optional<UserData> open_user_data(std::string_view encrypted_data, std::string_view iv,
                                                     SessionKey const& session_key);

}  // namespace onetap::core::crypto
