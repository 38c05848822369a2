#pragma once

#include <string>
#include <string_view>

#include "core/secret.hpp"

namespace onetap::core {

/// What a push's URL says of who sent it, as it came.
struct PushProof {
  std::string signature;      // over token, timestamp and nonce
  std::string msg_signature;  // over these and the body's Encrypt
  std::string timestamp;
  std::string nonce;
};

/// Whether `proof.signature` is WeChat's (facts/wechat-api.md §2.5): the SHA-1 of the three texts in byte
/// order, in lower-case hex. It says nothing of the body, and good ones stay good for ever.
[[nodiscard]] bool has_push_signature(PushProof const& proof, PushToken const& token);

/// Whether `proof.msg_signature` is WeChat's for this `Encrypt`.
[[nodiscard]] bool has_push_signature(PushProof const& proof, PushToken const& token,
                                      std::string_view encrypted);

}  // namespace onetap::core
