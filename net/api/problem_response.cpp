#include "net/api/problem_response.hpp"

#include <string>

namespace onetap::net {
namespace {

core::ProblemCode problem_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::bad_request: return core::ProblemCode::invalid_request;
    case Refusal::not_found: return core::ProblemCode::not_found;
    case Refusal::method_not_allowed: return core::ProblemCode::method_not_allowed;
    case Refusal::unsupported_media_type: return core::ProblemCode::unsupported_media_type;
    case Refusal::payload_too_large: return core::ProblemCode::payload_too_large;
    case Refusal::uri_too_long: return core::ProblemCode::uri_too_long;
    case Refusal::headers_too_large: return core::ProblemCode::headers_too_large;
    case Refusal::length_required: return core::ProblemCode::length_required;
    case Refusal::request_timeout: return core::ProblemCode::request_timeout;
    case Refusal::internal: break;
  }
  return core::ProblemCode::internal;
}

}  // namespace

Response problem_response(core::Problem const& problem, Request const& request) {
  core::Language const language = core::language_of(request.header("Accept-Language").value_or(""));
  Response response{.status = core::kind_of(problem.code).status,
                    .content_type = "application/problem+json",
                    .body = core::to_problem_json(problem, language, request.request_id),
                    .problem = core::kind_of(problem.code).name};
  if (problem.retry_after)
    response.headers.emplace_back("Retry-After", std::to_string(problem.retry_after->count()));
  return response;
}

Response refusal_response(Refusal refusal, std::string_view allowed_methods, Request const& request) {
  Response response = problem_response({.code = problem_of(refusal)}, request);
  if (!allowed_methods.empty()) response.headers.emplace_back("Allow", allowed_methods);
  return response;
}

}  // namespace onetap::net
