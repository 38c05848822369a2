#include "net/api/events.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <tuple>
#include <utility>

#include "core/limits.hpp"
#include "net/api/caller_fields.hpp"
#include "net/api/phone_fields.hpp"
#include "net/api/problem_response.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;
namespace limits = core::limits;

bool is_event_id(std::string_view text) {
  constexpr std::string_view allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return text.size() >= limits::event_id_bytes_min && text.size() <= limits::event_id_bytes_max &&
         text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_code_digest(std::string_view text) {
  constexpr std::size_t digits = 64;
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

core::WallTime read_time(BodyReader& body, core::WallTime now) {
  constexpr core::seconds back = limits::event_age_max;
  constexpr core::seconds ahead = limits::event_ahead_max;
  std::int64_t const now_s = core::unix_seconds(now);
  std::int64_t const at_s = body.required_integer("at").value_or(now_s);
  bool const fits = at_s >= now_s - back.count() && at_s <= now_s + ahead.count();
  if (!fits) body.fault("at must be unix seconds, at most 7 days back and 5 minutes ahead");
  return core::WallTime(core::seconds(fits ? at_s : now_s));
}

core::EventType read_type(BodyReader& body) {
  auto const type = core::event_type_from(body.required("type"));
  if (!type) body.fault("type must be tap, issued, denied, no_quota, privacy_denied or fallback");
  return type.value_or(core::EventType::tap);
}

core::EventSender sender_of(Request const& request, core::Caller const& caller) {
  core::EventSender sender{.user = std::nullopt, .address = request.limit_key};
  if (caller.session) sender.user = caller.session->user;
  return sender;
}

}  // namespace

core::Task<Response> EventsApi::record(Request const& request, core::Caller const& caller) {
  BodyReader body(request.body);
  core::WallTime const now = clock_.wall();
  std::string const appid = read_appid(body, caller, gate_);
  std::ignore = read_idempotency_key(request, body);
  auto events = read_events(body, appid, now);
  if (!body.is_faultless()) co_return problem_response(body.problem(), request);
  core::PageEvents told{
      .appid = appid, .client_env = caller.client_env, .events = std::move(events), .received = now};
  auto const recorded = co_await events_.record(std::move(told), sender_of(request, caller));
  if (!recorded) co_return problem_response(recorded.error(), request);
  json::object const counts{{"accepted", recorded->accepted}, {"duplicates", recorded->duplicates}};
  constexpr int accepted = 202;
  co_return Response{.status = accepted, .body = json::serialize(counts)};
}

std::vector<core::PageEvent> EventsApi::read_events(BodyReader& body, std::string_view appid,
                                                    core::WallTime now) const {
  std::vector<core::PageEvent> events;
  std::vector<BodyReader> parts = body.required_objects("events");
  if (parts.size() > limits::events_per_request_max) {
    body.fault("events must hold at most 50");
    return events;
  }
  for (BodyReader& part : parts) {
    events.push_back(read_event(part, appid, now));
    body.fault_of(part);
  }
  return events;
}

core::PageEvent EventsApi::read_event(BodyReader& body, std::string_view appid, core::WallTime now) const {
  std::string_view const id = body.required("id");
  if (!is_event_id(id)) body.fault("id must be 16 to 64 of A-Z a-z 0-9 _ -");
  core::EventType const type = read_type(body);
  core::WallTime const at = read_time(body, now);
  core::Kind const kind = read_kind(body);
  auto const errno_told = body.optional_integer("errno");
  std::string_view const digest = body.optional("codeDigest");
  if (body.has("codeDigest") && !is_code_digest(digest))
    body.fault("codeDigest must be the code's SHA-256, 64 lower-case hex digits");
  std::string_view const scene = read_scene(body);
  core::PageEvent event{.id = std::string(id),
                        .type = type,
                        .kind = kind,
                        .errno_told = errno_told,
                        .scene = std::string(scene),
                        .at = at};
  if (!digest.empty()) event.code_key = keyring_.code_key_of_digest(appid, digest);
  return event;
}

}  // namespace onetap::net
