#include "core/gate/login.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::size_t secret_bytes = 32;

std::string random_bytes() {
  std::array<unsigned char, secret_bytes> bytes{};
  crypto::fill_random(bytes);
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

/// RFC 4648 §5 without padding.
SessionToken make_token() {
  std::string const random = random_bytes();
  std::string text =
      crypto::to_base64({reinterpret_cast<unsigned char const*>(random.data()), random.size()});
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  text.resize(limits::session_token_bytes);
  return SessionToken(std::move(text));
}

seconds unused_life(SessionLife const& life) {
  return std::chrono::floor<seconds>(std::min(life.idle, life.longest));
}

Problem storage_unavailable() {
  constexpr auto soon = seconds(5);
  return {.code = ProblemCode::storage_unavailable, .retry_after = soon, .retry = Retry::login};
}

Problem server_busy() {
  constexpr auto soon = seconds(2);
  return {.code = ProblemCode::server_busy, .retry_after = soon, .retry = Retry::login};
}

}  // namespace

LoginService::LoginService(Ports ports, AppAccount const& account, SessionBook& sessions)
    : ports_(ports), account_(account), sessions_(sessions) {}

Task<Result<OpenedSession, Problem>> LoginService::log_in(JsCode js_code, std::string request_id) {
  if (in_flight_ >= limits::logins_in_flight_max) co_return server_busy();
  WeChatReply const reply = co_await ask_wechat(std::move(js_code));
  auto identity = judge_login_answer(reply);
  if (!identity) {
    ports_.log.warn("login_failed", {{"request_id", request_id},
                                     {"app", account_.appid},
                                     {"errcode", identity.error().problem.errcode.value_or(0)},
                                     {"rid", identity.error().problem.rid},
                                     {"hint", identity.error().hint}});
    co_return identity.error().problem;
  }
  auto opened = co_await open_session(std::move(*identity));
  co_return opened;
}

Task<WeChatReply> LoginService::ask_wechat(JsCode js_code) {
  struct Asking {  // a page that leaves ends it, too
    std::size_t& in_flight;
    explicit Asking(std::size_t& counted) : in_flight(counted) { ++in_flight; }
    Asking(Asking const&) = delete;
    Asking& operator=(Asking const&) = delete;
    ~Asking() { --in_flight; }
  } const asking(in_flight_);
  SteadyTime const deadline = ports_.clock.steady() + limits::login_time;
  WeChatReply reply =
      co_await ports_.wechat.code_to_session(account_.appid, account_.secret, std::move(js_code), deadline);
  co_return reply;
}

Task<Result<OpenedSession, Problem>> LoginService::open_session(Identity identity) {
  co_await shield_from_cancellation();  // what the store has, the book has
  OpenedSession opened{.token = make_token(),
                       .signing_key = SigningKey(random_bytes()),
                       .expires_in = unused_life(sessions_.life())};
  WallTime const now = ports_.clock.wall();
  CallerKey const user = ports_.keyring.user_key(account_.appid, identity.openid.reveal());
  opened.user = user;
  SessionRow const row{.id = id_of(opened.token),
                       .appid = account_.appid,
                       .user = user,
                       .sealed_openid = ports_.keyring.seal(crypto::SealedField::openid, row_of(user),
                                                            identity.openid.reveal()),
                       .opened = now,
                       .used = now};
  LoginRow login{.session = row,
                 .sealed_session_key = ports_.keyring.seal(crypto::SealedField::session_key, row_of(user),
                                                           identity.session_key.reveal()),
                 .session_key_digest = ports_.keyring.session_key_digest(identity.session_key)};
  bool const stored = co_await ports_.store.add_login(std::move(login));
  if (!stored) co_return storage_unavailable();
  sessions_.open({.row = row, .signing_key = opened.signing_key, .nonces = NonceBook()});
  co_return opened;
}

}  // namespace onetap::core
