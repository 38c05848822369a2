#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/digest.hpp"
#include "core/push/push_signature.hpp"

namespace onetap::tests {

// The example of WeChat's documentation (message-push.html), for wxba5fad812f8e6fb9 and the token AAAAA.
inline constexpr std::string_view official_aes_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
inline constexpr std::string_view official_encrypt =
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv"
    "6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNq"
    "J4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";

/// As WeChat signs its pushes.
inline std::string sign_push(std::vector<std::string> parts) {
  std::ranges::sort(parts);
  std::string text;
  for (std::string const& part : parts) text += part;
  return core::crypto::to_hex(core::crypto::sha1(text));
}

/// `clear`, padded to 32 bytes unless told otherwise, encrypted as WeChat does it; `aes_key` is an
/// EncodingAESKey whose last character leaves no stray bits.
inline std::string encrypt_push(std::string clear, std::string_view aes_key, bool padded = true) {
  constexpr std::size_t padded_to_bytes = 32;
  auto const bytes = [](std::string_view text) {
    return reinterpret_cast<unsigned char const*>(text.data());
  };
  std::size_t const padding = padded_to_bytes - clear.size() % padded_to_bytes;
  if (padded) clear.append(padding, static_cast<char>(padding));
  auto const key = core::crypto::from_base64(std::string(aes_key) + "=");
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> const context(EVP_CIPHER_CTX_new(),
                                                                                &EVP_CIPHER_CTX_free);
  std::string data(clear.size() + padded_to_bytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(data.data());
  int written = 0;
  bool const done =
      key && EVP_EncryptInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, bytes(*key), bytes(*key)) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_EncryptUpdate(context.get(), out, &written, bytes(clear), static_cast<int>(clear.size())) == 1;
  if (!done) throw std::runtime_error("a test's push could not be encrypted");
  return core::crypto::to_base64({out, static_cast<std::size_t>(written)});
}

/// What WeChat puts around a message before it encrypts it.
inline std::string push_envelope(std::string_view message, std::string_view appid) {
  std::string clear = "0123456789abcdef";
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    clear += static_cast<char>((message.size() >> shift) & 0xffU);
  }
  return clear.append(message).append(appid);
}

/// A push as it travels.
struct PushOnWire {
  core::PushProof proof;
  std::string body;

  /// Of the URL that WeChat calls.
  [[nodiscard]] std::string query() const {
    return "signature=" + proof.signature + "&timestamp=" + proof.timestamp + "&nonce=" + proof.nonce +
           "&openid=oeg5b5&encrypt_type=aes&msg_signature=" + proof.msg_signature;
  }
};

inline PushOnWire plain_push(std::string body, std::string_view token) {
  std::string const timestamp = "1714037059";
  std::string const nonce = "486452656";
  return {.proof = {.signature = sign_push({std::string(token), timestamp, nonce}),
                    .msg_signature = {},
                    .timestamp = timestamp,
                    .nonce = nonce},
          .body = std::move(body)};
}

inline PushOnWire encrypted_push(std::string_view message, std::string_view token, std::string_view aes_key,
                                 std::string_view appid) {
  std::string const encrypted = encrypt_push(push_envelope(message, appid), aes_key);
  PushOnWire push = plain_push(R"({"ToUserName":"gh_97417a04a28d","Encrypt":")" + encrypted + "\"}", token);
  push.proof.msg_signature =
      sign_push({std::string(token), push.proof.timestamp, push.proof.nonce, encrypted});
  return push;
}

/// A quota alarm as WeChat sends it (facts/wechat-api.md §2.5).
inline std::string quota_push_json(std::int64_t total, std::int64_t used, std::int64_t created_s,
                                   std::string_view event = "charge_service_quota_notify",
                                   std::string_view spu_id = "10000077") {
  return R"({"ToUserName":"gh_24b0688b9fda","FromUserName":"oeg5b5PFuO_A9Ax3cBxajvn6q41Y","CreateTime":)" +
         std::to_string(created_s) + R"(,"MsgType":"event","Event":")" + std::string(event) +
         R"(","event_type":3,"spu_id":)" + std::string(spu_id) +
         R"(,"spu_name":"手机号快速验证组件","total_quota":)" + std::to_string(total) +
         R"(,"total_used_quota":)" + std::to_string(used) + "}";
}

inline std::string quota_push_xml(std::int64_t total, std::int64_t used, std::int64_t created_s,
                                  std::string_view event = "charge_mp_service_quota_notify") {
  return "<xml><ToUserName><![CDATA[gh_24b0688b9fda]]></ToUserName>\n<FromUserName><![CDATA[oeg5b5]]>"
         "</FromUserName>\n<CreateTime>" +
         std::to_string(created_s) + "</CreateTime>\n<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[" +
         std::string(event) +
         "]]></Event>\n<event_type>3</event_type>\n<spu_id>10000077</spu_id>\n<total_quota><![CDATA[" +
         std::to_string(total) + "]]></total_quota>\n<total_used_quota>" + std::to_string(used) +
         "</total_used_quota></xml>";
}

}  // namespace onetap::tests
