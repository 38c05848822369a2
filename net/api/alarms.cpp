#include "net/api/alarms.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/alarm/alarm_message.hpp"
#include "net/api/problem_response.hpp"
#include "net/query.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;

template <class Number>
json::value number_or_null(std::optional<Number> const& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::value time_or_null(std::optional<core::WallTime> const& time) {
  return time ? json::value(core::unix_seconds(*time)) : json::value(nullptr);
}

json::object pack_json(core::PackForecast const& pack) {
  return {{"pkgId", pack.pkg_id},
          {"inForce", pack.is_in_force},
          {"unitsLeft", pack.units_left},
          {"endsAt", time_or_null(pack.ends)},
          {"usedUpAt", time_or_null(pack.used_up)},
          {"unitsUnused", pack.units_unused}};
}

json::object forecast_json(core::Forecast const& forecast) {
  json::array packs;
  for (core::PackForecast const& pack : forecast.packs) packs.push_back(pack_json(pack));
  json::object object{{"appid", forecast.owner.appid},
                      {"kind", core::to_string(forecast.owner.kind)},
                      {"asOf", core::unix_seconds(forecast.as_of)},
                      {"metered", forecast.is_metered},
                      {"units", forecast.units},
                      {"unitsLeft", forecast.units_left},
                      {"percentLeft", forecast.percent_left()},
                      {"usedUp", forecast.is_used_up},
                      {"unitsADay", json::object{{"ours", number_or_null(forecast.rates.ours_a_day)},
                                                 {"wechat", number_or_null(forecast.rates.wechat_a_day)}}},
                      {"daysLeft", number_or_null(forecast.days_left)},
                      {"unitsUnused", forecast.units_unused},
                      {"packs", std::move(packs)}};
  return object;
}

std::optional<int> hours_in(std::string_view query) {
  constexpr int hours_max = 24;
  std::string const text = query_parameter(query, "hours");
  if (text.empty()) return hours_max;
  int hours = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), hours);
  bool const is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && hours >= 1 && hours <= hours_max ? std::optional(hours) : std::nullopt;
}

Response with(json::object const& body) { return {.body = json::serialize(body)}; }

}  // namespace

core::Task<Response> AlarmsApi::forecast(Request const& /*request*/) const {
  json::array forecasts;
  for (core::Forecast const& each : sources_.forecasts()) forecasts.push_back(forecast_json(each));
  co_return with({{"forecasts", std::move(forecasts)}});
}

core::Task<Response> AlarmsApi::alarms(Request const& /*request*/) const {
  json::array active;
  for (core::Alarm const& alarm : sources_.desk.active()) active.push_back(core::alarm_json(alarm));
  json::array last;
  for (core::Alarm const& alarm : sources_.desk.told_last()) last.push_back(core::alarm_json(alarm));
  co_return with({{"active", std::move(active)}, {"last", std::move(last)}});
}

core::Task<Response> AlarmsApi::top(Request const& request) const {
  auto const hours = hours_in(request.query);
  if (!hours) {
    core::Problem problem{.code = core::ProblemCode::invalid_request};
    problem.field = "hours must be 1 to 24";
    co_return problem_response(problem, request);
  }
  auto const read = co_await sources_.read_top_users(*hours);
  if (!read) co_return problem_response({.code = core::ProblemCode::storage_unavailable}, request);
  json::array users;
  for (core::TopUser const& user : *read)
    users.push_back(json::object{{"appid", user.appid}, {"user", user.user}, {"codes", user.codes}});
  json::array addresses;
  for (core::AddressTop::Row const& row : sources_.addresses.top(*hours, sources_.clock.wall()))
    addresses.push_back(
        json::object{{"address", row.address}, {"codes", row.codes}, {"tooHigh", row.too_high}});
  co_return with({{"hours", *hours}, {"users", std::move(users)}, {"addresses", std::move(addresses)}});
}

}  // namespace onetap::net
