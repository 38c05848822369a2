#include "core/exchange/decryption.hpp"

#include <optional>

#include "core/crypto/user_data.hpp"
#include "core/exchange/answer.hpp"

namespace onetap::core {
namespace {

// What is read where nothing was decrypted, so that the time does not tell at which step it failed.
constexpr std::string_view stand_in =
    R"({"phoneNumber":"13800138000","purePhoneNumber":"13800138000","countryCode":"86",)"
    R"("watermark":{"appid":"wx0000000000000000","timestamp":1477314187}})";

std::optional<PhoneNumber> read_number(EncryptedPhone const& encrypted, SessionKey const& session_key,
                                       std::string_view appid, WallTime now) {
  auto const clear = crypto::open_user_data(encrypted.encrypted_data, encrypted.iv, session_key);
  auto number = read_user_data(clear ? clear->reveal() : stand_in, appid, now);
  if (!clear) return std::nullopt;
  return number;
}

}  // namespace

Task<DecryptResult> decrypt_phone(SessionStore& store, crypto::Keyring const& keyring,
                                  EncryptedPhone encrypted, std::string appid, CallerKey user, WallTime now) {
  auto const sealed_keys = co_await store.session_keys(user);
  if (!sealed_keys) co_return NoSessionKeys{};
  for (SealedBytes const& sealed_key : *sealed_keys) {
    auto const opened = keyring.open(crypto::SealedField::session_key, row_of(user), sealed_key);
    if (!opened) continue;
    SessionKey const session_key{std::string(opened->reveal())};
    auto number = read_number(encrypted, session_key, appid, now);
    if (number) co_return *std::move(number);
  }
  co_return Undecryptable{};
}

}  // namespace onetap::core
