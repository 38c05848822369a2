#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/crypto/keyring.hpp"
#include "core/exchange/service.hpp"
#include "core/gate/origin.hpp"
#include "core/gate/verify_level.hpp"
#include "core/log.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// The routes under /phone.
class PhoneApi {
 public:
  struct Gate {
    core::VerifyLevel level = core::VerifyLevel::origin;
    core::OriginPolicy origin;
  };

  PhoneApi(core::ConsumeService& service, core::crypto::Keyring const& keyring, core::Log& log,
           std::string appid, Gate gate);

  /// Refuses by what the head says, before the body is read.
  [[nodiscard]] std::optional<Response> admit(Request const& request) const;

  /// POST /phone/consume
  [[nodiscard]] core::Task<Response> consume(Request const& request);

 private:
  [[nodiscard]] std::variant<core::ConsumeRequest, core::Problem> read(Request const& request) const;

  core::ConsumeService& service_;
  core::crypto::Keyring const& keyring_;
  core::Log& log_;
  std::string appid_;
  Gate gate_;
};

}  // namespace onetap::net
