#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/crypto/keyring.hpp"
#include "core/exchange/decrypt_service.hpp"
#include "core/exchange/service.hpp"
#include "core/gate/gatekeeper.hpp"
#include "net/api/body_reader.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// What /phone/consume and /phone/decrypt ask of their callers.
inline constexpr core::RouteAccess consume_access{.spends_code = true};
inline constexpr core::RouteAccess decrypt_access{.session = core::RouteAccess::Session::always,
                                                  .spends_code = true};

/// The routes under /phone that hand out numbers.
class PhoneApi {
 public:
  struct Settings {
    bool send_openid = false;  // ONETAP_SEND_OPENID: WeChat is told whose code it is
  };

  PhoneApi(core::ByApp<core::ConsumeService> consuming, core::DecryptService& decrypting,
           core::Gatekeeper& gate, core::crypto::Keyring const& keyring, Settings settings);

  /// POST /phone/consume
  [[nodiscard]] core::Task<Response> consume(Request const& request, core::Caller const& caller);
  /// POST /phone/decrypt
  [[nodiscard]] core::Task<Response> decrypt(Request const& request, core::Caller const& caller);

 private:
  [[nodiscard]] std::optional<core::Problem> limit(std::optional<core::CallerKey> const& spoken_for,
                                                   core::RouteAccess access);
  [[nodiscard]] Response with_limit(Response response, std::optional<core::CallerKey> const& spoken_for,
                                    core::RouteAccess access) const;
  [[nodiscard]] std::variant<core::ConsumeRequest, core::Problem> read_consume(Request const& request,
                                                                               core::Caller const& caller);
  [[nodiscard]] std::variant<core::DecryptRequest, core::Problem> read_decrypt(Request const& request,
                                                                               core::Caller const& caller);
  [[nodiscard]] std::optional<core::CallerKey> read_user(BodyReader& body, core::Caller const& caller,
                                                         std::string_view appid) const;
  [[nodiscard]] core::OpenId openid_of(BodyReader& body, core::Caller const& caller) const;

  core::ByApp<core::ConsumeService> consuming_;
  core::DecryptService& decrypting_;
  core::Gatekeeper& gate_;
  core::crypto::Keyring const& keyring_;
  Settings settings_;
};

}  // namespace onetap::net
