#pragma once

#include <string>

#include "core/clock.hpp"
#include "core/exchange/ledger.hpp"
#include "core/task.hpp"

namespace onetap::core {

/// An app's access_token as it is kept: sealed.
struct StoredToken {
  std::string appid;
  SealedBytes sealed_token;  // access_token of the row row_of_app(appid)
  WallTime fetched;
  WallTime expires;
};

/// Port: the token that survives a restart. Thread: the loop's.
class TokenStore {
 public:
  TokenStore() = default;
  TokenStore(TokenStore const&) = delete;
  TokenStore& operator=(TokenStore const&) = delete;
  virtual ~TokenStore() = default;

  /// Takes the place of the app's last one. False when nothing was done (queue or disk full, closing): the
  /// next start then fetches one.
  [[nodiscard]] virtual Task<bool> keep_token(StoredToken token) = 0;
};

/// The identity under which an app's token is sealed.
[[nodiscard]] std::int64_t row_of_app(std::string_view appid);

}  // namespace onetap::core
