#include "core/gate/gatekeeper.hpp"

#include <algorithm>

#include "core/crypto/digest.hpp"
#include "core/gate/signature.hpp"

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

Problem problem_of(UserKeyFault fault) {
  constexpr auto next_minute = seconds(60);
  constexpr auto soon = seconds(2);
  switch (fault) {
    case UserKeyFault::unknown_version: return {.code = ProblemCode::signature_invalid};
    case UserKeyFault::log_in_again: return {.code = ProblemCode::session_expired};
    case UserKeyFault::too_often: return {.code = ProblemCode::rate_limited, .retry_after = next_minute};
    case UserKeyFault::unavailable: break;
  }
  return {.code = ProblemCode::wechat_unavailable, .retry_after = soon};
}

/// Where a request that comes too soon would spend a code, the code stays good.
Problem on_route(Problem problem, RouteAccess access) {
  if (problem.code == ProblemCode::rate_limited && access.spends_code) problem.retry = Retry::same_code;
  return problem;
}

Problem rate_limited(RateVerdict const& verdict, RouteAccess access) {
  return on_route(
      {.code = ProblemCode::rate_limited, .retry_after = std::chrono::ceil<seconds>(verdict.retry_after)},
      access);
}

std::string_view bytes_of(CallerKey const& user) {
  return {reinterpret_cast<char const*>(user.digest.data()), user.digest.size()};
}

SessionToken const* token_of(Authorization const& authorization) {
  if (auto const* bearer = std::get_if<Bearer>(&authorization)) return &bearer->token;
  if (auto const* sent = std::get_if<Signed>(&authorization)) return &sent->session;
  return nullptr;
}

std::string policy_item(std::string_view name, RatePolicy const& policy) {
  return "\"" + std::string(name) + "\";q=" + std::to_string(policy.requests) +
         ";w=" + std::to_string(policy.period.count());
}

std::string left_item(std::string_view name, RateVerdict const& verdict) {
  return "\"" + std::string(name) + "\";r=" + std::to_string(verdict.remaining) +
         ";t=" + std::to_string(std::chrono::ceil<seconds>(verdict.until_full).count());
}

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
  Authorization const authorization = parse_authorization(request.authorization);
  bool const backend = access.takes_backend && is_backend(authorization);
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
      log_.warn("origin_refused", {{"request_id", request.request_id}, {"reason", reason}});
      return Problem{.code = ProblemCode::origin_forbidden};
    }
  }
  if (access.session == RouteAccess::Session::never) return std::nullopt;
  return check_credential(authorization, access, request.request_id);
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
  RateVerdict const of_everybody = of_everybody_.take(everybody, now);
  if (!of_everybody.admitted) return rate_limited(of_everybody, access);
  return std::nullopt;
}

std::optional<Problem> Gatekeeper::check_credential(Authorization const& authorization, RouteAccess access,
                                                    std::string_view request_id) {
  bool const needs_session =
      access.session == RouteAccess::Session::always || settings_.level >= VerifyLevel::session;
  bool const needs_signature = settings_.level == VerifyLevel::signature;
  if (auto const* malformed = std::get_if<Malformed>(&authorization)) {
    log_.warn("signature_refused", {{"request_id", request_id}, {"reason", malformed->reason}});
    return Problem{.code = ProblemCode::signature_invalid};
  }
  if (std::holds_alternative<None>(authorization)) {
    if (!needs_session) return std::nullopt;
    log_.warn("session_required",
              {{"request_id", request_id},
               {"hint", "a bare request: use the page's component, or set ONETAP_VERIFY=origin"}});
    return Problem{.code = ProblemCode::session_required};
  }
  if (needs_signature && std::holds_alternative<Bearer>(authorization)) {
    log_.warn("signature_refused", {{"request_id", request_id}, {"reason", "a Bearer is no signature"}});
    return Problem{.code = ProblemCode::signature_invalid};
  }
  auto const session = sessions_.look(*token_of(authorization), clock_.wall());
  return session ? std::nullopt : std::optional(problem_of(session.error()));
}

Task<Result<Caller, Problem>> Gatekeeper::authenticate(GateRequest request, RouteAccess access) {
  Authorization authorization = parse_authorization(request.authorization);
  if (access.takes_backend && is_backend(authorization))
    co_return Caller{.client_env = ClientEnv::backend, .is_backend = true};
  auto const origin = check_origin(request.referer, settings_.origin);
  Caller caller{.client_env = origin ? origin->client_env : ClientEnv::unknown};
  SessionToken const* const token = token_of(authorization);
  if (access.session == RouteAccess::Session::never || token == nullptr) co_return caller;

  if (auto* sent = std::get_if<Signed>(&authorization)) {
    auto checked = co_await check_signature(request, std::move(*sent));
    if (!checked) co_return on_route(checked.error(), access);
    caller.session = std::move(*checked);
  } else {
    auto const used = sessions_.use(*token, clock_.wall());
    if (!used) co_return problem_of(used.error());
    caller.session = used->get().row;
  }
  by_address_.give_back(request.address, clock_.steady());
  if (auto limited = limit_user(caller.session->user, access)) co_return *limited;
  co_return caller;
}

Task<Result<SessionRow, Problem>> Gatekeeper::check_signature(GateRequest request, Signed sent) {
  WallTime const now = clock_.wall();
  if (!is_timely(sent.timestamp, now))
    co_return Problem{.code = ProblemCode::timestamp_skewed, .server_time = now};
  auto const key = co_await key_of(sent);
  if (!key) co_return key.error();

  auto const fits = [&](std::string_view target) {
    return is_signature_of(
        sent.signature, *key,
        message_to_sign(request.method, target, sent.timestamp, sent.nonce_str, request.body));
  };
  if (!fits(request.signed_target) && !fits(request.target)) {
    log_.warn("signature_refused", {{"request_id", request.request_id}, {"reason", "it does not fit"}});
    co_return Problem{.code = ProblemCode::signature_invalid};
  }
  auto const used = sessions_.use(sent.session, now);
  if (!used) co_return problem_of(used.error());
  Session& session = used->get();
  switch (session.nonces.spend(sent.nonce_str, unix_seconds_of(sent.timestamp), now)) {
    case NonceVerdict::fresh: co_return session.row;
    case NonceVerdict::replayed: co_return Problem{.code = ProblemCode::nonce_replayed};
    case NonceVerdict::full: break;
  }
  constexpr auto until_some_are_forgotten = seconds(60);
  co_return Problem{.code = ProblemCode::rate_limited, .retry_after = until_some_are_forgotten};
}

// The key that the signature names. Sessions of an earlier run have none: their nonces are forgotten.
Task<Result<std::string, Problem>> Gatekeeper::key_of(Signed const& sent) {
  auto const found = sessions_.look(sent.session, clock_.wall());
  if (!found) co_return problem_of(found.error());
  Session const& session = found->get();
  if (!session.signing_key) co_return Problem{.code = ProblemCode::session_expired};
  if (!sent.user_key_version) co_return std::string(session.signing_key->reveal());
  auto const key = co_await user_keys_.get(session.row, *sent.user_key_version);
  if (!key) co_return problem_of(key.error());
  co_return *key;
}

std::optional<Problem> Gatekeeper::limit_user(CallerKey const& user, RouteAccess access) {
  RateVerdict const verdict = user_limit(access).take(bytes_of(user), clock_.steady());
  return verdict.admitted ? std::nullopt : std::optional(rate_limited(verdict, access));
}

Gatekeeper::Fields Gatekeeper::rate_fields(GateRequest const& request, RouteAccess access,
                                           std::optional<CallerKey> const& user) const {
  std::string policies;
  std::string left;
  auto const add = [&](std::string_view name, RateLimiter const& limit, std::string_view key) {
    if (limit.policy().is_off()) return;
    policies.append(policies.empty() ? "" : ", ").append(policy_item(name, limit.policy()));
    left.append(left.empty() ? "" : ", ").append(left_item(name, limit.look(key, clock_.steady())));
  };
  bool const backend = access.takes_backend && is_backend(parse_authorization(request.authorization));
  if (!backend) add("address", by_address_, request.address);
  if (user) add("user", access.spends_code ? codes_of_user_ : others_of_user_, bytes_of(*user));
  if (policies.empty()) return {};
  return {{"RateLimit-Policy", std::move(policies)}, {"RateLimit", std::move(left)}};
}

std::string_view Gatekeeper::challenge() const {
  return settings_.level == VerifyLevel::signature ? "ONETAP-HMAC-SHA256" : "Bearer";
}

}  // namespace onetap::core
