#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/gate/authorization.hpp"
#include "core/gate/nonce_book.hpp"
#include "core/gate/origin.hpp"
#include "core/gate/session_store.hpp"
#include "core/result.hpp"

namespace onetap::core {

using SigningKey = Confidential<struct SigningKeyTag>;  // 32 bytes

/// A session in memory.
struct Session {
  SessionRow row;
  std::optional<SigningKey> signing_key;  // none: opened by an earlier run, whose nonces are forgotten
  NonceBook nonces;
};

enum class SessionFault { unknown, expired };

/// All sessions, by id and by user; bounded for each user and in total: the one that was used longest
/// ago makes room.
class SessionBook {
 public:
  explicit SessionBook(SessionLife life) : life_(life) {}

  /// Those that an earlier run kept, in any order; without those of mini programs that are no longer served.
  void load(std::vector<SessionRow> rows, AllowedAppids const& served);

  void open(Session session);

  /// The session of this id, used now; or why it can't be. The reference is good until the next call.
  [[nodiscard]] Result<std::reference_wrapper<Session>, SessionFault> use(SessionId const& id, WallTime now);
  /// As use(), but neither changes anything nor counts as a use: for callers who have yet to prove
  /// themselves.
  [[nodiscard]] Result<std::reference_wrapper<Session const>, SessionFault> look(SessionId const& id,
                                                                                 WallTime now) const;

  /// All of this user's sessions end. They are not in take_changes(): the store knows.
  void forget_user(CallerKey const& user);

  /// Ends what is too old and forgets old nonces, of limits::session_changes_at_once sessions at most, and
  /// tells what the store has not heard of yet.
  [[nodiscard]] SessionChanges take_changes(WallTime now);
  /// Whether take_changes() has left something to be done.
  [[nodiscard]] bool is_behind(WallTime now) const;
  /// The store could not take them: they are told again. (A use that it never hears of costs nothing worse
  /// than an early end after a restart.)
  void tell_again(std::vector<SessionId> ended);

  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  [[nodiscard]] SessionLife const& life() const { return life_; }

 private:
  struct HashOfId {
    std::size_t operator()(SessionId const& id) const;
  };
  struct Entry {
    Session session;
    WallTime stored_use;                      // the last use that the store knows of
    std::list<SessionId>::iterator in_order;  // in by_use_
    bool may_have_nonces = false;             // then it is in nonces_to_forget_, once
  };
  struct NoncesToForget {
    WallTime due;
    SessionId id;
  };
  using Entries = std::unordered_map<SessionId, Entry, HashOfId>;

  [[nodiscard]] bool is_over(SessionRow const& row, WallTime now) const;
  void insert(Session session);
  [[nodiscard]] bool is_oldest_over(WallTime now) const;
  void forget_nonces_later(Entry& entry, WallTime now);
  void forget_old_nonces(WallTime now);
  void end(Entries::iterator entry);
  void remove(Entries::iterator entry);

  SessionLife life_;
  Entries by_id_;
  std::list<SessionId> by_use_;  // used longest ago first
  std::map<CallerKey, std::vector<SessionId>> by_user_;
  std::deque<NoncesToForget> nonces_to_forget_;  // by time
  SessionChanges changes_;
};

}  // namespace onetap::core
