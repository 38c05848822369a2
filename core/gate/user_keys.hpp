#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <vector>

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
  unavailable,      // WeChat could not be asked
};

/// The keys that users' WeChats sign with (`key="wechat:<version>"`): fetched when first asked for, held
/// until they expire, of limits::user_keys_max users at most.
class UserKeys {
 public:
  struct Ports {
    Clock& clock;
    WeChat& wechat;
    TokenKeeper& tokens;
    SessionStore& store;
    crypto::Keyring const& keyring;
    Log& log;
  };

  explicit UserKeys(Ports ports) : ports_(ports) {}

  /// 16 bytes. Requests of one user share a fetch; an unknown version costs at most one, and a user at
  /// most limits::user_key_fetches_per_minute.
  [[nodiscard]] Task<Result<std::string, UserKeyFault>> get(SessionRow session, std::int64_t version);

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
    std::optional<UserKeyFault> last_fault;
    Signal fetched;
  };

  class Fetching;

  [[nodiscard]] std::shared_ptr<User> user_of(CallerKey const& key);
  [[nodiscard]] std::optional<std::string> find(User const& user, std::int64_t version) const;
  [[nodiscard]] bool may_fetch(User& user) const;
  [[nodiscard]] Task<std::optional<UserKeyFault>> fetch(User& user, SessionRow session, SteadyTime deadline);

  Ports ports_;
  std::map<CallerKey, std::shared_ptr<User>> users_;
  std::list<CallerKey> in_order_;  // as they came
};

}  // namespace onetap::core
