#include "net/api/gate.hpp"

#include <utility>

#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

core::GateRequest facts_of(Request const& request) {
  return {.method = request.method,
          .target = request.target,
          .signed_target = request.signed_target,
          .body = request.body,
          .address = request.limit_key,
          .referer = request.header("Referer"),
          .referer_repeated = request.repeats_header("Referer"),
          .authorization = request.authorization,
          .authorization_repeated = request.repeats_header("Authorization"),
          .request_id = request.request_id};
}

void add_fields(Response& response, core::Gatekeeper const& gate, core::GateRequest const& facts,
                core::RouteAccess access, std::optional<core::CallerKey> const& user) {
  constexpr int unauthorized = 401;
  if (response.status == unauthorized) response.headers.emplace_back("WWW-Authenticate", gate.challenge());
  for (auto& field : gate.rate_fields(facts, access, user)) response.headers.push_back(std::move(field));
}

core::Task<Response> pass(core::Gatekeeper& gate, core::RouteAccess access, Body body,
                          GuardedHandler const& handle, Request const& request) {
  core::GateRequest const facts = facts_of(request);
  auto const caller = co_await gate.authenticate(facts, access);
  std::optional<core::CallerKey> user;
  if (caller && caller->session) user = caller->session->user;
  Response response;
  if (!caller) {
    user = caller.error().user;
    response = problem_response(caller.error().problem, request);
  } else if (body == Body::json && !request.has_json()) {
    response = refusal_response(Refusal::unsupported_media_type, {}, request);
  } else {
    response = co_await handle(request, *caller);
  }
  add_fields(response, gate, facts, access, user);
  co_return response;
}

}  // namespace

Route guarded(core::Gatekeeper& gate, std::string_view method, std::string_view path, Body body,
              core::RouteAccess access, GuardedHandler handle) {
  auto admit = [&gate, access](Request& request) -> std::optional<Response> {
    request.authorization = core::parse_authorization(request.header("Authorization").value_or(""));
    core::GateRequest const facts = facts_of(request);
    auto const problem = gate.admit(facts, access);
    if (!problem) return std::nullopt;
    Response response = problem_response(*problem, request);
    add_fields(response, gate, facts, access, std::nullopt);
    return response;
  };
  auto annotate = [&gate, access](Response& response, Request const& request) {
    add_fields(response, gate, facts_of(request), access, std::nullopt);
  };
  auto handle_guarded = [&gate, access, body, handle = std::move(handle)](Request const& request) {
    return pass(gate, access, body, handle, request);
  };
  // The media type is judged after the signature, so the connection takes any.
  return {.method = method,
          .path = path,
          .body = body == Body::none ? Body::none : Body::any,
          .handle = std::move(handle_guarded),
          .admit = std::move(admit),
          .annotate = std::move(annotate)};
}

}  // namespace onetap::net
