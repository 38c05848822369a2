#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// SHA-256 of a session's token: how a session is known to everybody but its page.
struct SessionId {
  Digest token_digest{};
  auto operator<=>(SessionId const&) const = default;
};

/// How long a session is good.
struct SessionLife {
  milliseconds idle{};     // after its last use
  milliseconds longest{};  // after its login
};

/// A session as it is kept.
struct SessionRow {
  SessionId id;
  std::string appid;
  CallerKey user;
  SealedBytes sealed_openid;  // openid of the row row_of(user)
  WallTime opened;
  WallTime used;
};

/// A login: the session it opened, and the session_key that WeChat gave with it.
struct LoginRow {
  SessionRow session;
  SealedBytes sealed_session_key;  // session_key of the row row_of(user)
  Digest session_key_digest{};     // keyed; one that came again is one row
};

struct SessionChanges {
  std::vector<std::pair<SessionId, WallTime>> used;
  std::vector<SessionId> ended;
};

/// Port: the sessions that survive a restart. Each call returns when its effect is durable; false, or
/// none, when nothing was done (queue or disk full, closing). Thread: the loop's.
class SessionStore {
 public:
  SessionStore() = default;
  SessionStore(SessionStore const&) = delete;
  SessionStore& operator=(SessionStore const&) = delete;
  virtual ~SessionStore() = default;

  /// Of a user's session_keys the newest two stay.
  [[nodiscard]] virtual Task<bool> add_login(LoginRow login) = 0;
  [[nodiscard]] virtual Task<bool> change_sessions(SessionChanges changes) = 0;
  /// The user's session_keys, newest first; at most two.
  [[nodiscard]] virtual Task<std::optional<std::vector<SealedBytes>>> session_keys(CallerKey user) = 0;
};

/// The identity under which what belongs to a user is sealed.
[[nodiscard]] std::int64_t row_of(CallerKey const& user);

}  // namespace onetap::core
