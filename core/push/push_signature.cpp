#include "core/push/push_signature.hpp"

#include <algorithm>
#include <vector>

#include "core/crypto/digest.hpp"

namespace onetap::core {
namespace {

using SignedText = Confidential<struct SignedTextTag>;  // it holds the token

bool is_signed(std::string_view signature, PushProof const& proof, PushToken const& token,
               std::vector<std::string_view> parts) {
  if (token.empty() || proof.timestamp.empty() || proof.nonce.empty()) return false;
  parts.insert(parts.end(), {token.reveal(), proof.timestamp, proof.nonce});
  std::ranges::sort(parts);
  std::size_t size = 0;
  for (std::string_view const part : parts) size += part.size();
  std::string text;
  text.reserve(size);
  for (std::string_view const part : parts) text += part;
  SignedText const signed_text(std::move(text));
  return crypto::equal_in_constant_time(signature, crypto::to_hex(crypto::sha1(signed_text.reveal())));
}

}  // namespace

bool has_push_signature(PushProof const& proof, PushToken const& token) {
  return is_signed(proof.signature, proof, token, {});
}

bool has_push_signature(PushProof const& proof, PushToken const& token, std::string_view encrypted) {
  return !encrypted.empty() && is_signed(proof.msg_signature, proof, token, {encrypted});
}

}  // namespace onetap::core
