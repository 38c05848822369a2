#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/gate/session_store.hpp"

namespace onetap::tests {

/// The SessionStore port over plain containers, for tests of what stands above the port.
class MemorySessionStore final : public core::SessionStore {
 public:
  bool accepts = true;  // false: neither written nor read
  std::vector<core::SessionRow> sessions;
  std::vector<core::SessionChanges> changes;

  [[nodiscard]] core::Task<bool> add_login(core::LoginRow login) override {
    if (!accepts) co_return false;
    std::vector<Key>& keys = keys_[login.session.user];
    std::erase_if(keys, [&](Key const& key) { return key.digest == login.session_key_digest; });
    keys.insert(keys.begin(), {.digest = login.session_key_digest, .sealed = login.sealed_session_key});
    keys.resize(std::min(keys.size(), keys_per_user));
    sessions.push_back(std::move(login.session));
    co_return true;
  }

  [[nodiscard]] core::Task<bool> change_sessions(core::SessionChanges changed) override {
    if (!accepts) co_return false;
    for (auto const& [id, used] : changed.used) {
      auto const known = std::ranges::find(sessions, id, &core::SessionRow::id);
      if (known != sessions.end()) known->used = used;
    }
    for (core::SessionId const& id : changed.ended)
      std::erase_if(sessions, [&](core::SessionRow const& row) { return row.id == id; });
    changes.push_back(std::move(changed));
    co_return true;
  }

  [[nodiscard]] core::Task<std::optional<std::vector<core::SealedBytes>>> session_keys(
      core::CallerKey user) override {
    if (!accepts) co_return std::nullopt;
    std::vector<core::SealedBytes> newest_first;
    if (auto const found = keys_.find(user); found != keys_.end()) {
      for (Key const& key : found->second) newest_first.push_back(key.sealed);
    }
    co_return newest_first;
  }

 private:
  static constexpr std::size_t keys_per_user = 2;
  struct Key {
    core::Digest digest{};
    core::SealedBytes sealed;
  };

  std::map<core::CallerKey, std::vector<Key>> keys_;
};

/// The way to a store over a disk that is slow when a test wants it: nothing passes until let_go().
class SlowSessionStore final : public core::SessionStore {
 public:
  SlowSessionStore(core::Clock& clock, core::SessionStore& store) : clock_(clock), store_(store) {}

  bool is_slow = false;

  void let_go() {
    is_slow = false;
    released_.notify_all();
  }

  [[nodiscard]] core::Task<bool> add_login(core::LoginRow login) override {
    co_await pass();
    bool const done = co_await store_.add_login(std::move(login));
    co_return done;
  }
  [[nodiscard]] core::Task<bool> change_sessions(core::SessionChanges changed) override {
    co_await pass();
    bool const done = co_await store_.change_sessions(std::move(changed));
    co_return done;
  }
  [[nodiscard]] core::Task<std::optional<std::vector<core::SealedBytes>>> session_keys(
      core::CallerKey user) override {
    co_await pass();
    auto keys = co_await store_.session_keys(user);
    co_return keys;
  }

 private:
  core::Task<> pass() {
    while (is_slow) [[maybe_unused]]
      bool const released = co_await clock_.wait(released_, core::SteadyTime::max());
  }

  core::Clock& clock_;
  core::SessionStore& store_;
  core::Signal released_;
};

}  // namespace onetap::tests
