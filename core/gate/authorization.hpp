#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/gate/session_store.hpp"
#include "core/secret.hpp"

namespace onetap::core {

/// What POST /session hands out: 43 characters of base64url, 256 random bits. Kept as a digest only.
using SessionToken = Confidential<struct SessionTokenTag>;

[[nodiscard]] SessionId id_of(SessionToken const& token);

namespace authorization {

/// No field, or one of a scheme that is not ours.
struct None {};

struct Bearer {
  SessionToken token;  // or a service token: only a comparison can tell
  SessionId session;   // all zeros, which is nobody's, where the token has not the size of a session's
};

/// The signed form (contract, "Who the caller is").
struct Signed {
  SessionId session;
  std::optional<std::int64_t> user_key_version;  // key="wechat:<version>"; none: key="session"
  std::string timestamp;                         // unix seconds, as it was sent and signed
  std::string nonce_str;
  std::string signature;  // 32 bytes
};

/// Our scheme, but a parameter is missing, unknown, repeated or ill-formed; or a Bearer of nothing.
struct Malformed {
  std::string_view reason;  // for the log
};

}  // namespace authorization

using Authorization =
    std::variant<authorization::None, authorization::Bearer, authorization::Signed, authorization::Malformed>;

/// `field` is the value of an Authorization field, or empty for none.
[[nodiscard]] Authorization parse_authorization(std::string_view field);

}  // namespace onetap::core
