#include "net/api/session.hpp"

#include <boost/json/serialize.hpp>
#include <tuple>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/text.hpp"
#include "net/api/body_reader.hpp"
#include "net/api/caller_fields.hpp"
#include "net/api/problem_response.hpp"
#include "net/api/quota.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;
namespace limits = core::limits;
using Opened = core::Result<core::OpenedSession, core::Problem>;

bool is_js_code(std::string_view text) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !text.empty() && text.size() <= limits::js_code_bytes_max &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_session_key(std::string_view text) {
  constexpr std::size_t key_bytes = 16;
  auto const key = core::crypto::from_base64(text);
  return key && key->size() == key_bytes;
}

}  // namespace

SessionApi::SessionApi(core::ByApp<core::LoginService> logins, core::Gatekeeper const& gate,
                       core::Clock const& clock, core::QuotaSource quota)
    : logins_(std::move(logins)), gate_(gate), clock_(clock), quota_(std::move(quota)) {}

core::Task<Response> SessionApi::open(Request const& request, core::Caller const& caller) {
  BodyReader body(request.body);
  bool const brings_login = caller.is_backend && body.has("openid");
  std::string_view const js_code = brings_login ? std::string_view() : body.required("jsCode");
  std::string_view const openid = brings_login ? body.required("openid") : std::string_view();
  std::string_view const session_key = brings_login ? body.required("sessionKey") : std::string_view();
  if (!brings_login && !is_js_code(js_code)) body.fault("jsCode must be 1 to 128 of A-Z a-z 0-9 _ -");
  if (brings_login && !core::is_openid(openid))
    body.fault("openid must be 1 to 128 visible ASCII characters");
  if (brings_login && !is_session_key(session_key)) body.fault("sessionKey must be base64 of 16 bytes");
  std::string const appid = read_appid(body, caller, gate_);
  std::ignore = read_idempotency_key(request, body);
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);

  Opened opened = core::Problem();
  if (brings_login) {
    core::Identity identity{.openid = core::OpenId(std::string(openid)),
                            .session_key = core::SessionKey(std::string(session_key))};
    opened = co_await logins_(appid).open_session(std::move(identity));
  } else {
    opened = co_await logins_(appid).log_in(core::JsCode(std::string(js_code)), request.request_id);
  }
  if (!opened) co_return problem_response(opened.error(), request);
  co_return Response{.body = body_of(*opened, appid)};
}

std::string SessionApi::body_of(core::OpenedSession const& opened, std::string_view appid) const {
  std::string_view const key = opened.signing_key.reveal();
  auto const* const key_bytes = reinterpret_cast<unsigned char const*>(key.data());
  return json::serialize(json::object{
      {"session", opened.token.reveal()},
      {"signingKey", core::crypto::to_base64({key_bytes, key.size()})},
      {"expiresIn", opened.expires_in.count()},
      {"serverTime", core::unix_seconds(clock_.wall())},
      {"quota", json::object{{"quick", quota_json(appid, core::Kind::quick, opened.user, quota_)},
                             {"realtime", quota_json(appid, core::Kind::realtime, opened.user, quota_)}}}});
}

}  // namespace onetap::net
