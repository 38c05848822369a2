#include "net/api/health.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

namespace onetap::net {

namespace json = boost::json;

core::Task<Response> healthz(Request const& /*request*/) { co_return Response{.body = R"({"status":"ok"})"}; }

core::Task<Response> readyz(Request const& /*request*/, Unreadiness const& unreadiness) {
  std::vector<std::string> const reasons = unreadiness();
  if (reasons.empty()) co_return Response{.body = R"({"status":"ready"})"};
  json::array listed;
  for (std::string const& reason : reasons) listed.emplace_back(reason);
  constexpr int service_unavailable = 503;
  co_return Response{.status = service_unavailable,
                     .body = json::serialize(json::object{{"status", "not ready"}, {"reasons", listed}})};
}

core::Task<Response> metrics(Request const& /*request*/, MetricsText const& text) {
  std::string body = co_await text();
  co_return Response{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = std::move(body)};
}

}  // namespace onetap::net
