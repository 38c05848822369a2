#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "app/sandbox/bounded_map.hpp"
#include "core/clock.hpp"

namespace onetap::app {

/// The time in both senses, as it is handed in.
struct Moment {
  core::SteadyTime steady;
  core::WallTime wall;
};

struct IssuedToken {
  std::string token;
  core::seconds expires_in{};
};

/// What WeChat says of an access token.
struct TokenStanding {
  int errcode = 0;    // 0: good; else 40001, 40014 or 42001
  std::string appid;  // whose it is, when good
};

/// The access tokens of the stand-in, by the rules of stable_token and token (facts/wechat-api.md §3).
/// The two kinds never touch each other.
class TokenBook {
 public:
  /// `seed` keeps the tokens of one run from being good in another.
  TokenBook(std::uint64_t seed, core::seconds life);

  /// stable_token in normal mode: the same token until the last 5 minutes of its life, then a new one
  /// beside it.
  [[nodiscard]] IssuedToken stable(std::string_view appid, core::SteadyTime now);

  /// stable_token with force_refresh: the old tokens die at once. Within 30 s of the last time it is as
  /// stable(). None when the 20 of the day (China time) are used up.
  [[nodiscard]] std::optional<IssuedToken> force_refresh(std::string_view appid, Moment now);

  /// token: a new one each time; the one before lives on for 5 minutes at most.
  [[nodiscard]] IssuedToken plain(std::string_view appid, core::SteadyTime now);

  [[nodiscard]] TokenStanding standing(std::string_view token, core::SteadyTime now) const;

  /// stable() hands out another from now on; this one is still good until its end.
  void retire(std::string_view token);

  /// Every token dies now, and says `errcode` to whoever brings it. With `again`, stable() goes on handing
  /// out the dead one, until the next kill_all() without.
  void kill_all(int errcode, bool again = false);

  void clear();

 private:
  enum class Kind { stable, plain };

  struct Token {
    std::string text;
    std::string appid;
    Kind kind;
    core::SteadyTime end;
    int killed_by = 0;  // the errcode it answers with; 0: not killed
    bool retired = false;
    bool again = false;  // handed out though it is dead
  };

  struct ForceRefreshes {
    std::optional<core::SteadyTime> last;
    std::int64_t china_day = 0;
    int count = 0;
  };

  IssuedToken issue(std::string_view appid, Kind kind, core::SteadyTime now);

  std::uint64_t seed_;
  core::seconds life_;
  std::uint64_t issued_ = 0;
  std::deque<Token> tokens_;  // oldest first
  BoundedMap<ForceRefreshes> force_refreshes_;
};

}  // namespace onetap::app
