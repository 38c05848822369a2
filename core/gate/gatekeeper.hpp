#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exchange/problem.hpp"
#include "core/gate/authorization.hpp"
#include "core/gate/origin.hpp"
#include "core/gate/rate_limiter.hpp"
#include "core/gate/session_book.hpp"
#include "core/gate/user_keys.hpp"
#include "core/gate/verify_level.hpp"
#include "core/log.hpp"
#include "core/repetition.hpp"

namespace onetap::core {

/// What a route asks of its callers, beside ONETAP_VERIFY.
struct RouteAccess {
  enum class Session { never, by_level, always };
  Session session = Session::by_level;
  bool takes_backend = true;  // ONETAP_SERVICE_TOKEN stands in for origin, session and signature
  bool spends_code = false;   // has a user bucket of its own, so that nothing else starves a paid code
};

/// What the gate looks at of a request. Views are good for the call.
struct GateRequest {
  std::string_view method;
  std::string_view target;         // path and query as they came
  std::string_view signed_target;  // as the page sent them, where a proxy may have stripped a prefix
  std::string_view body;           // empty while only the head is there
  std::string_view address;        // the client's, as bytes: 4 of IPv4, the first 8 of IPv6
  std::optional<std::string_view> referer;
  bool referer_repeated = false;
  Authorization const& authorization;
  bool authorization_repeated = false;
  std::string_view request_id;
};

/// Who calls, as far as the level asks for it, or more where more was shown.
struct Caller {
  ClientEnv client_env = ClientEnv::unknown;
  std::string appid{};  // the session's, else the Referer's, else the only one here; empty: the body must say
  std::optional<SessionRow> session{};
  bool is_backend = false;
};

/// Who does not come through the gate.
struct RefusedCaller {
  Problem problem;
  std::optional<CallerKey> user{};  // where somebody has proved who he is, and comes too often
};

/// Who may call, and how often (contract, "Who the caller is").
class Gatekeeper {
 public:
  struct Settings {
    VerifyLevel level = VerifyLevel::signature;
    OriginPolicy origin;
    std::vector<ServiceToken> service_tokens;
    RatePolicy address;
    RatePolicy user;
    RatePolicy everybody;
    crypto::SipHashKey seed{};  // random, for the tables of the limits
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  Gatekeeper(Clock& clock, SessionBook& sessions, UserKeys& user_keys, Log& log, Settings settings);

  /// By what the head says, before the body is read: a problem refuses. Takes from the address's limit; and
  /// from everybody's, unless it shows a session that is open: strangers must not keep out who has one.
  [[nodiscard]] std::optional<Problem> admit(GateRequest const& request, RouteAccess access);

  /// Of a request that was admitted, with its body: who calls. Takes from the user's limit, and gives the
  /// address its request back where the caller has proved who it is. A nonce is spent only by a request that
  /// comes through. The views outlive the call.
  [[nodiscard]] Task<Result<Caller, RefusedCaller>> authenticate(GateRequest request, RouteAccess access);

  /// A user whom a backend speaks for.
  [[nodiscard]] std::optional<Problem> limit_user(CallerKey const& user, RouteAccess access);

  /// RateLimit-Policy and RateLimit of what this caller has left.
  [[nodiscard]] Fields rate_fields(GateRequest const& request, RouteAccess access,
                                   std::optional<CallerKey> const& user) const;
  /// The same of a user whom a backend speaks for.
  [[nodiscard]] Fields rate_fields(CallerKey const& user, RouteAccess access) const;

  /// Whether codes and sessions can be of this mini program.
  [[nodiscard]] bool serves(std::string_view appid) const;

  /// From now on these are the business's own backend.
  void use(std::vector<ServiceToken> service_tokens) { settings_.service_tokens = std::move(service_tokens); }

  /// For WWW-Authenticate.
  [[nodiscard]] std::string_view challenge() const;

 private:
  void tell_of_refusal(std::string_view msg, std::string_view reason, GateRequest const& request);
  [[nodiscard]] bool is_backend(Authorization const& authorization) const;
  [[nodiscard]] std::optional<Problem> limit_address(GateRequest const& request, RouteAccess access);
  [[nodiscard]] bool shows_open_session(Authorization const& authorization, RouteAccess access) const;
  [[nodiscard]] std::optional<Problem> check_credential(GateRequest const& request, RouteAccess access);
  [[nodiscard]] std::optional<Problem> check_session(GateRequest const& request, SessionId const& id) const;
  [[nodiscard]] Task<std::optional<Problem>> check_signature(GateRequest const& request,
                                                             authorization::Signed const& sent);
  [[nodiscard]] Task<Result<std::string, Problem>> key_of(authorization::Signed const& sent,
                                                          std::string request_id);
  [[nodiscard]] std::optional<Problem> check_time(authorization::Signed const& sent) const;
  [[nodiscard]] Result<SessionRow, RefusedCaller> let_in(GateRequest const& request, SessionId const& id,
                                                         RouteAccess access);
  [[nodiscard]] RateLimiter const& user_limit(RouteAccess access) const {
    return access.spends_code ? codes_of_user_ : others_of_user_;
  }

  Clock& clock_;
  SessionBook& sessions_;
  UserKeys& user_keys_;
  Log& log_;
  Settings settings_;
  RateLimiter by_address_;
  RateLimiter codes_of_user_;
  RateLimiter others_of_user_;
  RateLimiter of_everybody_;
  // By line and reason, both static text.
  std::map<std::pair<std::string_view, std::string_view>, Repetition> refusals_;
};

}  // namespace onetap::core
