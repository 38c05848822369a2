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

UserKeyFault fault_of(UserKeysFailure::Why why) {
  switch (why) {
    case UserKeysFailure::Why::log_in_again: return UserKeyFault::log_in_again;
    case UserKeysFailure::Why::rate_limited: return UserKeyFault::rate_limited;
    case UserKeysFailure::Why::misconfigured: return UserKeyFault::misconfigured;
    case UserKeysFailure::Why::token_refused:
    case UserKeysFailure::Why::not_to_be_had: break;
  }
  return UserKeyFault::unavailable;
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

Task<Result<std::string, UserKeyFailure>> UserKeys::get(SessionRow session, std::int64_t version,
                                                        std::string request_id) {
  co_await shield_from_cancellation();
  std::shared_ptr<User> const user = user_of(session.user);
  if (auto key = find(*user, version)) co_return std::move(*key);
  SteadyTime const deadline = ports_.clock.steady() + limits::login_time;
  if (user->fetching) {
    bool const fetched = co_await ports_.clock.wait(user->fetched, deadline);
    if (!fetched) co_return UserKeyFailure();
  } else {
    seconds const until = until_fetch(*user);
    if (until > seconds(0)) co_return UserKeyFailure{.fault = UserKeyFault::too_often, .retry_after = until};
    user->fetches.push_back(ports_.clock.steady());
    Fetching const fetching(*user);
    user->last_failure = co_await fetch(*user, std::move(session), std::move(request_id), deadline);
  }
  if (auto key = find(*user, version)) co_return std::move(*key);
  co_return user->last_failure.value_or(UserKeyFailure{.fault = UserKeyFault::unknown_version});
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

// Zero: now.
seconds UserKeys::until_fetch(User& user) const {
  constexpr auto minute = seconds(60);
  SteadyTime const now = ports_.clock.steady();
  while (!user.fetches.empty() && user.fetches.front() + minute <= now) user.fetches.pop_front();
  if (user.fetches.size() < limits::user_key_fetches_per_minute) return seconds(0);
  return std::chrono::ceil<seconds>(user.fetches.front() + minute - now);
}

Task<std::optional<UserKeyFailure>> UserKeys::fetch(User& user, SessionRow session, std::string request_id,
                                                    SteadyTime deadline) {
  auto const sealed_keys = co_await ports_.store.session_keys(session.user);
  if (!sealed_keys) co_return UserKeyFailure();
  if (sealed_keys->empty()) co_return UserKeyFailure{.fault = UserKeyFault::log_in_again};
  std::int64_t const row = row_of(session.user);
  auto const session_key = ports_.keyring.open(crypto::SealedField::session_key, row, sealed_keys->front());
  auto const openid = ports_.keyring.open(crypto::SealedField::openid, row, session.sealed_openid);
  if (!session_key || !openid) co_return UserKeyFailure{.fault = UserKeyFault::log_in_again};
  auto const token = co_await ports_.tokens(session.appid).get(deadline);
  if (!token) {
    bool const misconfigured = ports_.tokens(session.appid).misconfigured();
    co_return UserKeyFailure{.fault =
                                 misconfigured ? UserKeyFault::misconfigured : UserKeyFault::unavailable};
  }
  WeChatReply const reply = co_await ports_.wechat.get_user_encrypt_key(
      token->token, OpenId(std::string(openid->reveal())), signature_with(*session_key), deadline);
  auto const keys = judge_user_keys_answer(reply);
  if (!keys) {
    if (keys.error().why == UserKeysFailure::Why::token_refused)
      ports_.tokens(session.appid).drop(token->generation);
    co_return failed(keys.error(), session, request_id);
  }
  user.keys.clear();
  for (UserKey const& key : *keys) {
    user.keys.push_back(
        {.version = key.version, .key = key.key, .expires = ports_.clock.steady() + key.expires_in});
  }
  co_return std::nullopt;
}

UserKeyFailure UserKeys::failed(UserKeysFailure const& failure, SessionRow const& session,
                                std::string const& request_id) const {
  ports_.log.warn("user_keys_not_fetched", {{"request_id", request_id},
                                            {"app", session.appid},
                                            {"errcode", failure.errcode.value_or(0)},
                                            {"rid", failure.rid},
                                            {"hint", failure.hint}});
  return {.fault = fault_of(failure.why), .errcode = failure.errcode, .rid = failure.rid};
}

}  // namespace onetap::core
