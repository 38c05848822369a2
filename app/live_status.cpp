#include "app/live_status.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "app/commands/report_output.hpp"

namespace onetap::app {
namespace {

namespace json = boost::json;
using Position = core::CircuitBreaker::Position;

std::string_view name_of(Position position) {
  switch (position) {
    case Position::closed: return "closed";
    case Position::open: return "open";
    case Position::trial:
    case Position::trial_sent: break;
  }
  return "trial";
}

json::object token_of(MiniProgram& mini_program, LiveFacts const& facts) {
  auto const& tokens = mini_program.tokens();
  json::object token{{"held", tokens.current().has_value()}, {"misconfigured", tokens.misconfigured()}};
  if (tokens.current())
    token["seconds_left"] =
        std::chrono::floor<std::chrono::seconds>(tokens.expires() - facts.steady_now).count();
  return token;
}

json::object breaker_of(MiniProgram& mini_program, LiveFacts const& facts) {
  core::CircuitBreaker const& breaker = mini_program.calls().breaker();
  Position const position = breaker.position(facts.steady_now);
  json::object shown{{"position", name_of(position)}};
  if (position != Position::closed) shown["cause"] = core::to_string(breaker.cause());
  return shown;
}

json::array quota_of(MiniProgram const& mini_program) {
  json::array kinds;
  for (core::Kind const kind : {core::Kind::quick, core::Kind::realtime}) {
    core::Quota const quota = mini_program.quota(kind, std::nullopt);
    json::object shown{{"kind", core::to_string(kind)}, {"level", core::to_string(quota.level)}};
    if (quota.unavailable) shown["unavailable"] = core::to_string(*quota.unavailable);
    if (quota.as_of) shown["as_of"] = iso_utc(*quota.as_of);
    kinds.push_back(std::move(shown));
  }
  return kinds;
}

json::array apps_of(LiveFacts const& facts) {
  json::array apps;
  for (auto const& each : facts.mini_programs.all()) {
    apps.push_back(json::object{{"app_id", each->appid()},
                                {"unready", each->unreadiness()},
                                {"in_flight", each->consuming().in_flight()},
                                {"token", token_of(*each, facts)},
                                {"breaker", breaker_of(*each, facts)},
                                {"quota", quota_of(*each)}});
  }
  return apps;
}

json::value certificate_of(LiveFacts const& facts) {
  if (!facts.certificate) return nullptr;
  json::array names;
  for (std::string const& name : facts.certificate->names) names.emplace_back(valid_utf8(name));
  return json::object{{"from", iso_utc(facts.certificate->from)},
                      {"until", iso_utc(facts.certificate->until)},
                      {"names", std::move(names)}};
}

}  // namespace

std::string live_status(LiveFacts const& facts) {
  std::string const started = iso_utc(facts.started);
  json::array reasons;
  for (std::string const& reason : facts.unreadiness) reasons.emplace_back(valid_utf8(reason));
  json::object const storage{{"writable", facts.ledger_is_writable},
                             {"queued", facts.ledger.queued},
                             {"transactions", facts.ledger.transactions},
                             {"wal_truncated", facts.ledger.wal_truncated}};
  json::object const status{{"now", iso_utc(facts.now)},
                            {"version", ONETAP_VERSION},
                            {"started", started},
                            {"revision", started + "/" + std::to_string(facts.ledger.transactions)},
                            {"sandbox", facts.sandbox},
                            {"unready", std::move(reasons)},
                            {"storage", storage},
                            {"certificate", certificate_of(facts)},
                            {"connections", facts.connections},
                            {"apps", apps_of(facts)}};
  return json::serialize(status);
}

}  // namespace onetap::app
