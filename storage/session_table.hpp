#pragma once

#include <cstdint>
#include <vector>

#include "core/gate/session_store.hpp"
#include "storage/sqlite.hpp"

namespace onetap::storage {

/// The sessions and session_keys in the database. Lives beside the only writing connection; each call is
/// part of its caller's transaction.
class SessionTable {
 public:
  explicit SessionTable(Connection& connection);

  /// `app` is the id of the session's app.
  void add(core::LoginRow const& login, std::int64_t app);
  void change(core::SessionChanges const& changes);

  /// The user's, newest first; at most two.
  [[nodiscard]] std::vector<core::SealedBytes> keys_of(core::CallerKey const& user);

  /// Those that live, most recently used first; at most so many. The others are deleted.
  [[nodiscard]] std::vector<core::SessionRow> load(core::SessionLife life, core::WallTime now,
                                                   std::size_t sessions_max);

  /// Deletes what is over by its age, at most `rows_max` of each table; true when there may be more.
  bool delete_aged(core::SessionLife life, core::WallTime now, std::int64_t rows_max);

 private:
  Connection& connection_;
  Statement insert_session_;
  Statement touch_session_;
  Statement delete_session_;
  Statement put_key_;
  Statement delete_older_keys_;
  Statement list_keys_;
  Statement delete_aged_sessions_;
  Statement delete_aged_keys_;
};

}  // namespace onetap::storage
