#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "core/app_account.hpp"
#include "core/crypto/keyring.hpp"
#include "core/gate/login_answer.hpp"
#include "core/gate/session_store.hpp"
#include "core/log.hpp"
#include "core/token/keeper.hpp"

namespace onetap::core {

enum class UserKeyFault {
  unknown_version,  // WeChat does not know it either
  log_in_again,     // the session_key that we hold is too old to ask with
  too_often,        // the versions asked for keep being unknown
  rate_limited,     // WeChat wants to be asked less
  misconfigured,    // the operator must act
  unavailable,      // WeChat could not be asked
};

/// Why there is no key.
struct UserKeyFailure {
  UserKeyFault fault = UserKeyFault::unavailable;
  std::optional<int> errcode{};  // when WeChat sent one, with its rid
  std::string rid{};
  std::optional<seconds> retry_after{};  // with too_often
};

/// The keys that users' WeChats sign with (`key="wechat:<version>"`): fetched when first asked for, held
/// until they expire, of limits::user_keys_max users at most.
class UserKeys {
 public:
  struct Ports {
    Clock& clock;
    WeChat& wechat;
    ByApp<TokenKeeper> tokens;
    SessionStore& store;
    crypto::Keyring const& keyring;
    Log& log;
  };

  explicit UserKeys(Ports ports) : ports_(std::move(ports)) {}

  /// 16 bytes. Requests of one user share a fetch; an unknown version costs at most one, and a user at
  /// most limits::user_key_fetches_per_minute.
  [[nodiscard]] Task<Result<std::string, UserKeyFailure>> get(SessionRow session, std::int64_t version,
                                                              std::string request_id);

 private:
  struct Held {
    std::int64_t version = 0;
    Confidential<struct UserKeyTag> key;
    SteadyTime expires;
  };
  struct User {
    std::vector<Held> keys;
    std::deque<SteadyTime> fetches;  // of the last minute
    bool fetching = false;
    std::optional<UserKeyFailure> last_failure;
    Signal fetched;
  };

  class Fetching;

  [[nodiscard]] std::shared_ptr<User> user_of(CallerKey const& key);
  [[nodiscard]] std::optional<std::string> find(User const& user, std::int64_t version) const;
  [[nodiscard]] seconds until_fetch(User& user) const;
  [[nodiscard]] Task<std::optional<UserKeyFailure>> fetch(User& user, SessionRow session,
                                                          std::string request_id, SteadyTime deadline);
  [[nodiscard]] UserKeyFailure failed(UserKeysFailure const& failure, SessionRow const& session,
                                      std::string const& request_id) const;

  Ports ports_;
  std::map<CallerKey, std::shared_ptr<User>> users_;
  std::list<CallerKey> in_order_;  // as they came
};

}  // namespace onetap::core
