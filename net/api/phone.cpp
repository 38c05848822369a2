#include "net/api/phone.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <tuple>
#include <utility>

#include "core/limits.hpp"
#include "core/text.hpp"
#include "net/api/caller_fields.hpp"
#include "net/api/phone_fields.hpp"
#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;
namespace limits = core::limits;

/// True when it can be a code, as far as anybody can tell.
bool read_code(BodyReader& body, std::string_view& code) {
  code = body.required("code");
  if (!body.is_faultless()) return false;
  if (code.empty() || code.size() > limits::code_bytes_max) {
    body.fault("code must have 1 to 512 characters");
  } else if (code.find_first_of("\"\\") != std::string_view::npos) {
    body.fault("code has quotes around or in it: send detail.code itself");
  } else if (!core::is_visible_ascii(code)) {
    body.fault("code must be visible ASCII");
  }
  return body.is_faultless();
}

std::string_view read_out_id(BodyReader& body) {
  std::string_view const out_id = body.optional("outId");
  bool const fits =
      !out_id.empty() && out_id.size() <= limits::out_id_bytes_max && core::is_visible_ascii(out_id);
  if (body.has("outId") && !fits) body.fault("outId must be 1 to 64 visible ASCII characters");
  return out_id;
}

std::optional<core::EncryptedPhone> read_encrypted(BodyReader& body) {
  std::string_view const data = body.optional("encryptedData");
  std::string_view const iv = body.optional("iv");
  bool const comes = body.has("encryptedData") || body.has("iv");
  if (comes && (data.empty() || iv.empty())) body.fault("encryptedData and iv come together, both filled");
  if (!comes) return std::nullopt;
  return core::EncryptedPhone{.encrypted_data = std::string(data), .iv = std::string(iv)};
}

std::string phone_json(core::PhoneNumber const& number, core::Kind kind, std::string_view request_id) {
  return json::serialize(json::object{{"phoneNumber", number.phone_number.reveal()},
                                      {"purePhoneNumber", number.pure_phone_number.reveal()},
                                      {"countryCode", number.country_code},
                                      {"kind", core::to_string(kind)},
                                      {"requestId", request_id}});
}

// Of a consumption or a decryption.
Response answer_of(core::PhoneResult const& result, Request const& request) {
  Response response;
  if (auto const* number = std::get_if<core::PhoneNumber>(&result.answer)) {
    response.body = phone_json(*number, result.kind, request.request_id);
  } else {
    response = problem_response(std::get<core::Problem>(result.answer), request);
  }
  if (result.replayed) response.headers.emplace_back("Idempotent-Replayed", "true");
  return response;
}

}  // namespace

PhoneApi::PhoneApi(core::ByApp<core::ConsumeService> consuming, core::DecryptService& decrypting,
                   core::Gatekeeper& gate, core::crypto::Keyring const& keyring, Settings settings)
    : consuming_(std::move(consuming)),
      decrypting_(decrypting),
      gate_(gate),
      keyring_(keyring),
      settings_(settings) {}

core::Task<Response> PhoneApi::consume(Request const& request, core::Caller const& caller) {
  auto read = read_consume(request, caller);
  if (auto const* problem = std::get_if<core::Problem>(&read)) co_return problem_response(*problem, request);
  auto& presented = std::get<core::ConsumeRequest>(read);
  auto const spoken_for = caller.is_backend ? presented.user : std::nullopt;
  auto limited = limit(spoken_for, consume_access);
  if (limited) {
    limited->charged = core::Charged::unknown;
    co_return with_limit(problem_response(*limited, request), spoken_for, consume_access);
  }
  core::ConsumeService& service = consuming_(presented.appid);
  core::PhoneResult const result = co_await service.consume(std::move(presented));
  co_return with_limit(answer_of(result, request), spoken_for, consume_access);
}

core::Task<Response> PhoneApi::decrypt(Request const& request, core::Caller const& caller) {
  auto read = read_decrypt(request, caller);
  if (auto const* problem = std::get_if<core::Problem>(&read)) co_return problem_response(*problem, request);
  auto& presented = std::get<core::DecryptRequest>(read);
  auto const spoken_for = caller.is_backend ? std::optional(presented.user) : std::nullopt;
  auto const limited = limit(spoken_for, decrypt_access);
  if (limited) co_return with_limit(problem_response(*limited, request), spoken_for, decrypt_access);
  core::PhoneResult const result = co_await decrypting_.decrypt(std::move(presented));
  co_return with_limit(answer_of(result, request), spoken_for, decrypt_access);
}

// A session's user was limited at the gate, which tells so itself.
std::optional<core::Problem> PhoneApi::limit(std::optional<core::CallerKey> const& spoken_for,
                                             core::RouteAccess access) {
  return spoken_for ? gate_.limit_user(*spoken_for, access) : std::nullopt;
}

Response PhoneApi::with_limit(Response response, std::optional<core::CallerKey> const& spoken_for,
                              core::RouteAccess access) const {
  if (!spoken_for) return response;
  for (auto& field : gate_.rate_fields(*spoken_for, access)) response.headers.push_back(std::move(field));
  return response;
}

std::variant<core::ConsumeRequest, core::Problem> PhoneApi::read_consume(Request const& request,
                                                                         core::Caller const& caller) {
  BodyReader body(request.body);
  std::string_view code;
  bool const code_was_read = read_code(body, code);
  core::Kind const kind = read_kind(body);
  std::string_view const scene = read_scene(body);
  std::string_view const out_id = read_out_id(body);
  auto encrypted = read_encrypted(body);
  core::IdempotencyKey const key = read_idempotency_key(request, body);
  std::string const appid = read_appid(body, caller, gate_);
  auto const user = read_user(body, caller, appid);
  if (!body.is_faultless())
    return body.problem(code_was_read ? core::Charged::unknown : core::Charged::absent);
  core::ConsumeRequest presented{.code = core::Code(std::string(code)),
                                 .appid = appid,
                                 .kind = kind,
                                 .caller = user,
                                 .request_id = request.request_id,
                                 .scene = std::string(scene),
                                 .out_id = std::string(out_id),
                                 .client_env = caller.client_env,
                                 .user = user,
                                 .openid = openid_of(body, caller),
                                 .encrypted = std::move(encrypted)};
  if (!user && !key.empty()) presented.caller = keyring_.caller_key(appid, key);
  return presented;
}

std::variant<core::DecryptRequest, core::Problem> PhoneApi::read_decrypt(Request const& request,
                                                                         core::Caller const& caller) {
  BodyReader body(request.body);
  std::string_view const data = body.required("encryptedData");
  std::string_view const iv = body.required("iv");
  core::Kind const kind = read_kind(body);
  std::ignore = read_idempotency_key(request, body);
  std::string const appid = read_appid(body, caller, gate_);
  auto const user = read_user(body, caller, appid);
  if (!user) body.fault("openid is missing");
  if (!body.is_faultless()) return body.problem();
  return core::DecryptRequest{.encrypted = {.encrypted_data = std::string(data), .iv = std::string(iv)},
                              .appid = appid,
                              .user = *user,
                              .kind = kind,
                              .request_id = request.request_id,
                              .client_env = caller.client_env};
}

// A session's user, or the one whom a backend names.
std::optional<core::CallerKey> PhoneApi::read_user(BodyReader& body, core::Caller const& caller,
                                                   std::string_view appid) const {
  if (caller.session) return caller.session->user;
  if (!caller.is_backend) return std::nullopt;
  std::string_view const openid = body.optional("openid");
  if (body.has("openid") && !core::is_openid(openid))
    body.fault("openid must be 1 to 128 visible ASCII characters");
  if (openid.empty()) return std::nullopt;
  return keyring_.user_key(appid, openid);
}

// What WeChat is told: nothing, unless it is wanted and known.
core::OpenId PhoneApi::openid_of(BodyReader& body, core::Caller const& caller) const {
  if (!settings_.send_openid) return {};
  if (!caller.session) return core::OpenId(std::string(caller.is_backend ? body.optional("openid") : ""));
  auto const openid = keyring_.open(core::crypto::SealedField::openid, core::row_of(caller.session->user),
                                    caller.session->sealed_openid);
  return openid ? core::OpenId(std::string(openid->reveal())) : core::OpenId();
}

}  // namespace onetap::net
