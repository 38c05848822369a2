#include "net/api/quota.hpp"

#include <boost/json/serialize.hpp>
#include <optional>

#include "core/text.hpp"
#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;

/// What the query says of this name; none when it says nothing.
std::optional<std::string_view> parameter_of(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view const parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    if (parameter.starts_with(name) && parameter.substr(name.size()).starts_with('='))
      return parameter.substr(name.size() + 1);
  }
  return std::nullopt;
}

/// Quick unless the query says otherwise; none for a kind that there is not.
std::optional<core::Kind> kind_in(std::string_view query) {
  std::string_view const kind = parameter_of(query, "kind").value_or("quick");
  if (kind == "quick") return core::Kind::quick;
  return kind == "realtime" ? std::optional(core::Kind::realtime) : std::nullopt;
}

/// The caller's, or the one that a backend names; empty when that is none that is served.
std::string_view appid_in(Request const& request, core::Caller const& caller, core::Gatekeeper const& gate) {
  auto const named = caller.is_backend ? parameter_of(request.query, "appid") : std::nullopt;
  if (!named) return caller.appid;
  return gate.serves(*named) ? *named : std::string_view();
}

}  // namespace

json::object quota_json(std::string_view appid, core::Kind kind, std::optional<core::CallerKey> const& user,
                        core::QuotaSource const& source) {
  core::Quota const quota = source(appid, kind, user);
  json::object object{{"kind", core::to_string(kind)}, {"available", !quota.unavailable}};
  if (quota.unavailable) object["reason"] = core::to_string(*quota.unavailable);
  object["level"] = core::to_string(quota.level);
  object["asOf"] = quota.as_of ? json::value(core::unix_seconds(*quota.as_of)) : json::value(nullptr);
  return object;
}

core::Task<Response> get_quota(Request const& request, core::Caller const& caller, QuotaServices services) {
  auto const kind = kind_in(request.query);
  std::string_view const appid = appid_in(request, caller, services.gate);
  auto const openid = caller.is_backend ? parameter_of(request.query, "openid") : std::nullopt;
  core::Problem problem{.code = core::ProblemCode::invalid_request};
  if (!kind) problem.field = "kind must be quick or realtime";
  if (appid.empty()) problem.field = "appid must be of a mini program that is served here";
  if (openid && !core::is_openid(*openid)) problem.field = "openid must be 1 to 128 visible ASCII characters";
  if (!problem.field.empty()) co_return problem_response(problem, request);
  std::optional<core::CallerKey> user;
  if (caller.session) user = caller.session->user;
  if (openid) user = services.keyring.user_key(appid, *openid);
  co_return Response{.body = json::serialize(quota_json(appid, *kind, user, services.quota))};
}

}  // namespace onetap::net
