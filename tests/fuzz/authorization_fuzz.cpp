// An Authorization field: what is taken for a signature has the sizes that the rest relies on.
#include "core/gate/authorization.hpp"

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace core = onetap::core;
using onetap::tests::promise;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  core::Authorization const read = core::parse_authorization(onetap::tests::text_of(data, size));
  if (auto const* bearer = std::get_if<core::authorization::Bearer>(&read)) promise(!bearer->token.empty());
  if (auto const* malformed = std::get_if<core::authorization::Malformed>(&read))
    promise(!malformed->reason.empty());
  auto const* sent = std::get_if<core::authorization::Signed>(&read);
  if (sent == nullptr) return 0;
  promise(sent->session != core::SessionId());
  promise(sent->nonce_str.size() >= core::limits::nonce_bytes_min);
  promise(sent->nonce_str.size() <= core::limits::nonce_bytes_max);
  promise(sent->signature.size() == sizeof(core::crypto::Digest));
  promise(!sent->timestamp.empty() && sent->timestamp.size() <= 11);
  promise(!sent->user_key_version || *sent->user_key_version >= 0);
  return 0;
}
