#include "net/api/quota.hpp"

#include <boost/json/serialize.hpp>
#include <optional>

#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;

/// Quick unless the query says otherwise; none for a kind that there is not. Other parameters are ignored.
std::optional<core::Kind> kind_of(std::string_view query) {
  constexpr std::string_view name = "kind=";
  while (!query.empty()) {
    std::string_view const parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    if (!parameter.starts_with(name)) continue;
    std::string_view const value = parameter.substr(name.size());
    if (value == "quick") return core::Kind::quick;
    if (value == "realtime") return core::Kind::realtime;
    return std::nullopt;
  }
  return core::Kind::quick;
}

}  // namespace

json::object quota_json(core::Kind kind, core::QuotaSource const& source) {
  core::Quota const quota = source(kind);
  json::object object{{"kind", core::to_string(kind)}, {"available", !quota.unavailable}};
  if (quota.unavailable) object["reason"] = core::to_string(*quota.unavailable);
  object["level"] = core::to_string(quota.level);
  object["asOf"] = quota.as_of ? json::value(core::unix_seconds(*quota.as_of)) : json::value(nullptr);
  return object;
}

core::Task<Response> get_quota(Request const& request, core::QuotaSource const& quota) {
  auto const kind = kind_of(request.query);
  if (!kind) {
    co_return problem_response(
        {.code = core::ProblemCode::invalid_request, .field = "kind must be quick or realtime"}, request);
  }
  co_return Response{.body = json::serialize(quota_json(*kind, quota))};
}

}  // namespace onetap::net
