#include "tests/simulation/user_sessions.hpp"

#include <boost/asio/io_context.hpp>

#include "tests/simulation/model_wechat.hpp"
#include "tests/support/encrypt_user_data.hpp"
#include "tests/support/run_task.hpp"

namespace onetap::simulation {
namespace {

constexpr std::string_view session_key = "sixteen-byte-key";
constexpr std::string_view initial_bytes = "sixteen-bytes-iv";

std::string base64(std::string_view bytes) {
  return core::crypto::to_base64({reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size()});
}

}  // namespace

core::EncryptedPhone UserSessions::log_in(int code, Who who, std::string const& number) {
  core::CallerKey const user = key_of(code, who);
  if (code_of_user_.try_emplace(user, code).second) {
    core::SessionKey const secret(base64(session_key));
    core::LoginRow login;
    login.session.user = user;
    login.sealed_session_key =
        keyring_.seal(core::crypto::SealedField::session_key, core::row_of(user), secret.reveal());
    asio::io_context loop(1);
    auto const added = tests::start(loop, behind_.add_login(std::move(login)));
    loop.run();
  }
  std::string const clear = tests::phone_user_data(number, appid, core::unix_seconds(clock_.true_wall()));
  return {.encrypted_data = tests::encrypt_user_data(clear, session_key, initial_bytes),
          .iv = base64(initial_bytes)};
}

core::Task<std::optional<std::vector<core::SealedBytes>>> UserSessions::session_keys(core::CallerKey user) {
  int const code = code_of_user_.at(user);
  auto const time = random_.ms_between(spell_->ledger_ms.least, spell_->ledger_ms.most);
  witness_.code(code).await = Await::session_keys;
  witness_.ledger_asked(code, time);
  co_await clock_.pause(time);
  if (random_.chance(spell_->disk_full)) co_return std::nullopt;
  auto keys = co_await behind_.session_keys(user);
  co_return keys;
}

}  // namespace onetap::simulation
