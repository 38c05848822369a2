#include "core/gate/gatekeeper.hpp"

#include <algorithm>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/exchange/circuit_breaker.hpp"
#include "core/gate/signature.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

using authorization::Bearer;
using authorization::Malformed;
using authorization::None;
using authorization::Signed;

constexpr std::string_view everybody = "everybody";

Problem problem_of(SessionFault fault) {
  return {.code =
              fault == SessionFault::expired ? ProblemCode::session_expired : ProblemCode::session_required};
}

Problem problem_of(UserKeyFailure const& failure, WallTime now) {
  constexpr auto soon = seconds(2);
  constexpr auto operators_time = std::chrono::ceil<seconds>(limits::breaker_misconfigured_pause);
  Problem problem{.code = ProblemCode::wechat_unavailable,
                  .errcode = failure.errcode,
                  .rid = failure.rid,
                  .retry_after = soon};
  switch (failure.fault) {
    case UserKeyFault::unknown_version: return {.code = ProblemCode::signature_invalid};
    case UserKeyFault::log_in_again: return {.code = ProblemCode::session_expired};
    case UserKeyFault::too_often:
      return {.code = ProblemCode::rate_limited, .retry_after = failure.retry_after};
    case UserKeyFault::rate_limited: problem.retry_after = until_next_minute(now); break;
    case UserKeyFault::misconfigured:
      problem.code = ProblemCode::service_misconfigured;
      problem.retry_after = operators_time;
      break;
    case UserKeyFault::unavailable: break;
  }
  return problem;
}

/// Where a request that comes too soon would spend a code, the code stays good.
Problem on_route(Problem problem, RouteAccess access) {
  if (problem.code == ProblemCode::rate_limited && access.spends_code) problem.retry = Retry::same_code;
  return problem;
}

Problem rate_limited(seconds retry_after, RouteAccess access) {
  return on_route({.code = ProblemCode::rate_limited, .retry_after = retry_after}, access);
}

Problem rate_limited(RateVerdict const& verdict, RouteAccess access) {
  return rate_limited(std::chrono::ceil<seconds>(verdict.retry_after), access);
}

std::string_view bytes_of(CallerKey const& user) {
  return {reinterpret_cast<char const*>(user.digest.data()), user.digest.size()};
}

SessionId const* session_of(Authorization const& authorization) {
  if (auto const* bearer = std::get_if<Bearer>(&authorization)) return &bearer->session;
  if (auto const* sent = std::get_if<Signed>(&authorization)) return &sent->session;
  return nullptr;
}

/// Writes the two RateLimit fields, an item for each limit that is on.
class RateFields {
 public:
  explicit RateFields(SteadyTime now) : now_(now) {
    constexpr std::size_t enough = 96;  // for all three
    policies_.reserve(enough);
    left_.reserve(enough);
  }

  void add(std::string_view name, RateLimiter const& limit, std::string_view key) {
    RatePolicy const& policy = limit.policy();
    if (policy.is_off()) return;
    RateVerdict const verdict = limit.look(key, now_);
    append(policies_, name, ";q=", policy.requests, ";w=", policy.period);
    append(left_, name, ";r=", verdict.remaining, ";t=", std::chrono::ceil<seconds>(verdict.until_full));
  }
  /// Takes what was written.
  [[nodiscard]] Gatekeeper::Fields fields() {
    Gatekeeper::Fields fields;
    if (policies_.empty()) return fields;
    fields.reserve(2);
    fields.emplace_back("RateLimit-Policy", std::move(policies_));
    fields.emplace_back("RateLimit", std::move(left_));
    return fields;
  }

 private:
  static void append(std::string& list, std::string_view name, std::string_view count_is, std::uint32_t count,
                     std::string_view time_is, seconds time) {
    list.append(list.empty() ? "" : ", ").append("\"").append(name).append("\"");
    list.append(count_is).append(std::to_string(count));
    list.append(time_is).append(std::to_string(time.count()));
  }

  SteadyTime now_;
  std::string policies_;
  std::string left_;
};

}  // namespace

Gatekeeper::Gatekeeper(Clock& clock, SessionBook& sessions, UserKeys& user_keys, Log& log, Settings settings)
    : clock_(clock),
      sessions_(sessions),
      user_keys_(user_keys),
      log_(log),
      settings_(std::move(settings)),
      by_address_(settings_.address, settings_.seed),
      codes_of_user_(settings_.user, settings_.seed),
      others_of_user_(settings_.user, settings_.seed),
      of_everybody_(settings_.everybody, settings_.seed) {}

std::optional<Problem> Gatekeeper::admit(GateRequest const& request, RouteAccess access) {
  bool const backend = access.takes_backend && is_backend(request.authorization);
  if (!backend) {
    if (auto limited = limit_address(request, access)) return limited;
  }
  if (request.authorization_repeated)
    return Problem{.code = ProblemCode::invalid_request, .field = "Authorization comes twice"};
  if (backend) return std::nullopt;

  if (settings_.level != VerifyLevel::none) {
    auto const origin = check_origin(request.referer, settings_.origin);
    if (!origin || request.referer_repeated) {
      std::string_view const reason = origin ? "repeated" : to_string(origin.error());
      tell_of_refusal("origin_refused", reason, request);
      return Problem{.code = ProblemCode::origin_forbidden};
    }
  }
  if (access.session == RouteAccess::Session::never) return std::nullopt;
  return check_credential(request, access);
}

// Any stranger can have these by the thousand.
void Gatekeeper::tell_of_refusal(std::string_view msg, std::string_view reason, GateRequest const& request) {
  auto const untold = refusals_[{msg, reason}].happened(clock_.steady());
  if (untold)
    log_.warn(msg, {{"request_id", request.request_id}, {"reason", reason}, {"count", *untold + 1}});
}

bool Gatekeeper::is_backend(Authorization const& authorization) const {
  auto const* const bearer = std::get_if<Bearer>(&authorization);
  if (bearer == nullptr) return false;
  bool fits = false;  // every token is compared, so that time tells nothing of which one was near
  for (ServiceToken const& token : settings_.service_tokens)
    fits = crypto::equal_in_constant_time(token.reveal(), bearer->token.reveal()) || fits;
  return fits;
}

std::optional<Problem> Gatekeeper::limit_address(GateRequest const& request, RouteAccess access) {
  SteadyTime const now = clock_.steady();
  RateVerdict const of_address = by_address_.take(request.address, now);
  if (!of_address.admitted) return rate_limited(of_address, access);
  if (shows_open_session(request.authorization, access)) return std::nullopt;
  RateVerdict const of_everybody = of_everybody_.take(everybody, now);
  if (!of_everybody.admitted) return rate_limited(of_everybody, access);
  return std::nullopt;
}

bool Gatekeeper::shows_open_session(Authorization const& authorization, RouteAccess access) const {
  SessionId const* const id = session_of(authorization);
  if (access.session == RouteAccess::Session::never || id == nullptr) return false;
  return sessions_.look(*id, clock_.wall()).has_value();
}

std::optional<Problem> Gatekeeper::check_credential(GateRequest const& request, RouteAccess access) {
  Authorization const& authorization = request.authorization;
  bool const needs_session =
      access.session == RouteAccess::Session::always || settings_.level >= VerifyLevel::session;
  bool const needs_signature = settings_.level == VerifyLevel::signature;
  if (auto const* malformed = std::get_if<Malformed>(&authorization)) {
    tell_of_refusal("signature_refused", malformed->reason, request);
    return Problem{.code = ProblemCode::signature_invalid};
  }
  if (std::holds_alternative<None>(authorization)) {
    if (!needs_session) return std::nullopt;
    tell_of_refusal("session_required",
                    "a bare request: use the page's component, or set ONETAP_VERIFY=origin", request);
    return Problem{.code = ProblemCode::session_required};
  }
  if (needs_signature && std::holds_alternative<Bearer>(authorization)) {
    tell_of_refusal("signature_refused", "a Bearer is no signature", request);
    return Problem{.code = ProblemCode::signature_invalid};
  }
  return check_session(request, *session_of(authorization));
}

// A session is good at its own mini program only: the pages of another know other users by other openids.
std::optional<Problem> Gatekeeper::check_session(GateRequest const& request, SessionId const& id) const {
  auto const found = sessions_.look(id, clock_.wall());
  if (!found) return problem_of(found.error());
  std::string const& appid = found->get().row.appid;
  auto const origin = check_origin(request.referer, settings_.origin);
  bool const is_at_home = serves(appid) && (!origin || origin->appid == appid);
  return is_at_home ? std::nullopt : std::optional(problem_of(SessionFault::unknown));
}

Task<Result<Caller, RefusedCaller>> Gatekeeper::authenticate(GateRequest request, RouteAccess access) {
  Authorization const& authorization = request.authorization;
  if (access.takes_backend && is_backend(authorization)) {
    co_return Caller{
        .client_env = ClientEnv::backend, .appid = only_appid(settings_.origin.appids), .is_backend = true};
  }
  auto const origin = check_origin(request.referer, settings_.origin);
  Caller caller{.client_env = origin ? origin->client_env : ClientEnv::unknown,
                .appid = origin ? origin->appid : only_appid(settings_.origin.appids)};
  SessionId const* const id = session_of(authorization);
  if (access.session == RouteAccess::Session::never || id == nullptr) co_return caller;

  if (auto const* sent = std::get_if<Signed>(&authorization)) {
    auto const problem = co_await check_signature(request, *sent);
    if (problem) co_return RefusedCaller{.problem = on_route(*problem, access)};
  }
  auto session = let_in(request, *id, access);
  if (!session) co_return session.error();
  caller.appid = session->appid;
  caller.session = std::move(*session);
  co_return caller;
}

// None: it fits.
Task<std::optional<Problem>> Gatekeeper::check_signature(GateRequest const& request, Signed const& sent) {
  if (auto skewed = check_time(sent)) co_return skewed;
  auto const key = co_await key_of(sent, std::string(request.request_id));
  if (!key) co_return key.error();
  if (auto skewed = check_time(sent)) co_return skewed;  // the key may have taken its time to come

  auto const fits = [&](std::string_view target) {
    return is_signature_of(
        sent.signature, *key,
        message_to_sign(request.method, target, sent.timestamp, sent.nonce_str, request.body));
  };
  if (fits(request.signed_target) || fits(request.target)) co_return std::nullopt;
  tell_of_refusal("signature_refused", "it does not fit", request);
  co_return Problem{.code = ProblemCode::signature_invalid};
}

std::optional<Problem> Gatekeeper::check_time(Signed const& sent) const {
  WallTime const now = clock_.wall();
  if (is_timely(sent.timestamp, now)) return std::nullopt;
  return Problem{.code = ProblemCode::timestamp_skewed, .server_time = now};
}

// The key that the signature names. Sessions of an earlier run have none: their nonces are forgotten.
Task<Result<std::string, Problem>> Gatekeeper::key_of(Signed const& sent, std::string request_id) {
  auto const found = sessions_.look(sent.session, clock_.wall());
  if (!found) co_return problem_of(found.error());
  Session const& session = found->get();
  if (!session.signing_key) co_return Problem{.code = ProblemCode::session_expired};
  if (!sent.user_key_version) co_return std::string(session.signing_key->reveal());
  auto const key = co_await user_keys_.get(session.row, *sent.user_key_version, std::move(request_id));
  if (!key) co_return problem_of(key.error(), clock_.wall());
  co_return *key;
}

// The caller has proved whose session it is. A refused request leaves its nonce unspent, so that coming back
// costs nothing.
Result<SessionRow, RefusedCaller> Gatekeeper::let_in(GateRequest const& request, SessionId const& id,
                                                     RouteAccess access) {
  WallTime const now = clock_.wall();
  auto const used = sessions_.use(id, now);
  if (!used) return RefusedCaller{.problem = problem_of(used.error())};
  Session& session = used->get();
  auto const* const sent = std::get_if<Signed>(&request.authorization);
  NonceUse const use = access.spends_code ? NonceUse::code : NonceUse::other;
  NonceVerdict const nonce =
      sent == nullptr ? NonceVerdict::fresh : session.nonces.look(sent->nonce_str, use, now);
  if (nonce == NonceVerdict::replayed) return RefusedCaller{.problem = {.code = ProblemCode::nonce_replayed}};
  by_address_.give_back(request.address, clock_.steady());
  auto limited = nonce == NonceVerdict::full
                     ? std::optional(rate_limited(session.nonces.until_room(use, now), access))
                     : limit_user(session.row.user, access);
  if (limited) return RefusedCaller{.problem = std::move(*limited), .user = session.row.user};
  if (sent != nullptr) session.nonces.spend(sent->nonce_str, unix_seconds_of(sent->timestamp), now);
  return session.row;
}

std::optional<Problem> Gatekeeper::limit_user(CallerKey const& user, RouteAccess access) {
  RateLimiter& limit = access.spends_code ? codes_of_user_ : others_of_user_;
  RateVerdict const verdict = limit.take(bytes_of(user), clock_.steady());
  return verdict.admitted ? std::nullopt : std::optional(rate_limited(verdict, access));
}

Gatekeeper::Fields Gatekeeper::rate_fields(GateRequest const& request, RouteAccess access,
                                           std::optional<CallerKey> const& user) const {
  RateFields written(clock_.steady());
  bool const backend = access.takes_backend && is_backend(request.authorization);
  if (!backend) written.add("address", by_address_, request.address);
  if (!backend && !user) written.add("all", of_everybody_, everybody);
  if (user) written.add("user", user_limit(access), bytes_of(*user));
  return written.fields();
}

Gatekeeper::Fields Gatekeeper::rate_fields(CallerKey const& user, RouteAccess access) const {
  RateFields written(clock_.steady());
  written.add("user", user_limit(access), bytes_of(user));
  return written.fields();
}

bool Gatekeeper::serves(std::string_view appid) const { return is_served(appid, settings_.origin.appids); }

std::string_view Gatekeeper::challenge() const {
  return settings_.level == VerifyLevel::signature ? "ONETAP-HMAC-SHA256" : "Bearer";
}

}  // namespace onetap::core
