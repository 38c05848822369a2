#include "net/api/push.hpp"

#include <string>

#include "net/api/problem_response.hpp"
#include "net/query.hpp"

namespace onetap::net {
namespace {

core::PushProof proof_in(std::string_view query) {
  return {.signature = query_parameter(query, "signature"),
          .msg_signature = query_parameter(query, "msg_signature"),
          .timestamp = query_parameter(query, "timestamp"),
          .nonce = query_parameter(query, "nonce")};
}

Response text_response(int status, std::string text) {
  return {.status = status, .content_type = "text/plain", .body = std::move(text)};
}

Response forbidden() {
  constexpr int status = 403;
  return text_response(status, "wrong signature");
}

}  // namespace

std::string_view PushApi::appid_of(Request const& request) const {
  constexpr std::string_view with_appid = "/wechat/push/";
  std::string_view path = request.path;
  if (!path.starts_with(with_appid)) return receiver_.only_app();
  path.remove_prefix(with_appid.size());
  return path;
}

std::optional<Response> PushApi::admit(Request const& request) const {
  if (receiver_.expects(appid_of(request))) return std::nullopt;
  return refusal_response(Refusal::not_found, {}, request);
}

core::Task<Response> PushApi::check_url(Request const& request) {
  bool const is_from_wechat = receiver_.is_from_wechat(appid_of(request), proof_in(request.query));
  co_return is_from_wechat ? text_response(200, query_parameter(request.query, "echostr")) : forbidden();
}

core::Task<Response> PushApi::receive(Request const& request) {
  switch (receiver_.receive(appid_of(request), proof_in(request.query), request.body)) {
    case core::PushOutcome::accepted: co_return text_response(200, "success");
    case core::PushOutcome::forged: co_return forbidden();
    case core::PushOutcome::unreadable: break;
  }
  co_return refusal_response(Refusal::bad_request, {}, request);
}

}  // namespace onetap::net
