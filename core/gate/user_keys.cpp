#include "core/gate/user_keys.hpp"

#include <algorithm>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

/// Lower-case hex HMAC-SHA256 of nothing, keyed by the session_key's text (facts/wechat-api.md §4.2).
std::string signature_with(crypto::ClearText const& session_key) {
  auto const* const bytes = reinterpret_cast<unsigned char const*>(session_key.reveal().data());
  return crypto::to_hex(crypto::hmac_sha256({bytes, session_key.reveal().size()}, {}));
}

UserKeyFault fault_of(UserKeysFailure failure) {
  return failure == UserKeysFailure::log_in_again ? UserKeyFault::log_in_again : UserKeyFault::unavailable;
}

}  // namespace

/// One fetch of a user at a time; whoever waits for it is woken, also when a port breaks its promise.
class UserKeys::Fetching {
 public:
  explicit Fetching(User& user) : user_(user) { user_.fetching = true; }
  Fetching(Fetching const&) = delete;
  Fetching& operator=(Fetching const&) = delete;
  ~Fetching() {
    user_.fetching = false;
    user_.fetched.notify_all();
  }

 private:
  User& user_;
};

Task<Result<std::string, UserKeyFault>> UserKeys::get(SessionRow session, std::int64_t version) {
  co_await shield_from_cancellation();
  std::shared_ptr<User> const user = user_of(session.user);
  if (auto key = find(*user, version)) co_return std::move(*key);
  SteadyTime const deadline = ports_.clock.steady() + limits::login_time;
  if (user->fetching) {
    bool const fetched = co_await ports_.clock.wait(user->fetched, deadline);
    if (!fetched) co_return UserKeyFault::unavailable;
  } else {
    if (!may_fetch(*user)) co_return UserKeyFault::too_often;
    Fetching const fetching(*user);
    user->last_fault = co_await fetch(*user, std::move(session), deadline);
  }
  if (auto key = find(*user, version)) co_return std::move(*key);
  co_return user->last_fault.value_or(UserKeyFault::unknown_version);
}

std::shared_ptr<UserKeys::User> UserKeys::user_of(CallerKey const& key) {
  if (auto const found = users_.find(key); found != users_.end()) return found->second;
  if (users_.size() >= limits::user_keys_max) {
    users_.erase(in_order_.front());
    in_order_.pop_front();
  }
  in_order_.push_back(key);
  return users_.emplace(key, std::make_shared<User>()).first->second;
}

std::optional<std::string> UserKeys::find(User const& user, std::int64_t version) const {
  auto const found = std::ranges::find(user.keys, version, &Held::version);
  bool const held = found != user.keys.end() && ports_.clock.steady() < found->expires;
  return held ? std::optional(std::string(found->key.reveal())) : std::nullopt;
}

bool UserKeys::may_fetch(User& user) const {
  SteadyTime const now = ports_.clock.steady();
  while (!user.fetches.empty() && user.fetches.front() + std::chrono::minutes(1) <= now)
    user.fetches.pop_front();
  if (user.fetches.size() >= limits::user_key_fetches_per_minute) return false;
  user.fetches.push_back(now);
  return true;
}

Task<std::optional<UserKeyFault>> UserKeys::fetch(User& user, SessionRow session, SteadyTime deadline) {
  auto const sealed_keys = co_await ports_.store.session_keys(session.user);
  if (!sealed_keys) co_return UserKeyFault::unavailable;
  if (sealed_keys->empty()) co_return UserKeyFault::log_in_again;
  std::int64_t const row = row_of(session.user);
  auto const session_key = ports_.keyring.open(crypto::SealedField::session_key, row, sealed_keys->front());
  auto const openid = ports_.keyring.open(crypto::SealedField::openid, row, session.sealed_openid);
  if (!session_key || !openid) co_return UserKeyFault::log_in_again;
  auto const token = co_await ports_.tokens.get(deadline);
  if (!token) co_return UserKeyFault::unavailable;
  WeChatReply const reply = co_await ports_.wechat.get_user_encrypt_key(
      token->token, OpenId(std::string(openid->reveal())), signature_with(*session_key), deadline);
  auto const keys = judge_user_keys_answer(reply);
  if (!keys) {
    if (keys.error() == UserKeysFailure::token_refused) ports_.tokens.drop(token->generation);
    ports_.log.warn("user_keys_not_fetched", {{"app", session.appid}});
    co_return fault_of(keys.error());
  }
  user.keys.clear();
  for (UserKey const& key : *keys) {
    user.keys.push_back(
        {.version = key.version, .key = key.key, .expires = ports_.clock.steady() + key.expires_in});
  }
  co_return std::nullopt;
}

}  // namespace onetap::core
