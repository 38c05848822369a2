#include "net/api/caller_fields.hpp"

#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::net {

std::string read_appid(BodyReader& body, core::Caller const& caller, core::Gatekeeper const& gate) {
  bool const is_named = caller.is_backend && body.has("appid");
  std::string appid = is_named ? std::string(body.optional("appid")) : caller.appid;
  if (is_named && !gate.serves(appid)) body.fault("appid is not of a mini program that is served here");
  if (appid.empty()) body.fault("appid is missing");
  return appid;
}

core::IdempotencyKey read_idempotency_key(Request const& request, BodyReader& body) {
  namespace limits = core::limits;
  auto const given = request.header("Idempotency-Key");
  if (!given) return {};
  bool const sized = given->size() >= limits::idempotency_key_bytes_min &&
                     given->size() <= limits::idempotency_key_bytes_max;
  if (request.repeats_header("Idempotency-Key") || !sized || !core::is_visible_ascii(*given))
    body.fault("Idempotency-Key must be 16 to 128 visible ASCII characters, once");
  return core::IdempotencyKey(std::string(*given));
}

}  // namespace onetap::net
