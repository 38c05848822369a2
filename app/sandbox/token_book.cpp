#include "app/sandbox/token_book.hpp"

#include <algorithm>
#include <ranges>

#include "core/crypto/digest.hpp"

namespace onetap::app {
namespace {

// facts/wechat-api.md §3.1, §3.2
constexpr auto overlap = std::chrono::minutes(5);
constexpr auto force_refresh_interval = core::seconds(30);
constexpr int force_refreshes_a_day = 20;

// Many more than live at a time: who asks for tokens without end loses the oldest.
constexpr std::size_t tokens_max = 256;
constexpr std::size_t apps_max = 256;

std::int64_t china_day(core::WallTime time) {
  return std::chrono::floor<std::chrono::days>(time + std::chrono::hours(8)).time_since_epoch().count();
}

}  // namespace

TokenBook::TokenBook(std::uint64_t seed, core::seconds life)
    : seed_(seed), life_(life), force_refreshes_(apps_max) {}

IssuedToken TokenBook::issue(std::string_view appid, Kind kind, core::SteadyTime now) {
  // As long and of the same characters as WeChat's.
  std::string const number = std::to_string(seed_) + ":" + std::to_string(++issued_);
  std::string text = "97_" + core::crypto::to_hex(core::crypto::sha256("token:" + number)) +
                     core::crypto::to_hex(core::crypto::sha256("token, continued:" + number));
  tokens_.push_back({.text = text, .appid = std::string(appid), .kind = kind, .end = now + life_});
  if (tokens_.size() > tokens_max) tokens_.pop_front();
  return {.token = std::move(text), .expires_in = life_};
}

IssuedToken TokenBook::stable(std::string_view appid, core::SteadyTime now) {
  for (Token const& token : std::views::reverse(tokens_)) {
    if (token.kind != Kind::stable || token.appid != appid) continue;
    bool const is_withheld = token.killed_by != 0 && !token.again;
    if (is_withheld || token.retired || token.end - now <= overlap) continue;
    return {.token = token.text, .expires_in = std::chrono::floor<core::seconds>(token.end - now)};
  }
  return issue(appid, Kind::stable, now);
}

std::optional<IssuedToken> TokenBook::force_refresh(std::string_view appid, Moment now) {
  ForceRefreshes& refreshes = force_refreshes_.at(std::string(appid));
  if (refreshes.last && now.steady - *refreshes.last < force_refresh_interval)
    return stable(appid, now.steady);
  std::int64_t const today = china_day(now.wall);
  if (refreshes.china_day != today) {
    refreshes.china_day = today;
    refreshes.count = 0;
  }
  if (refreshes.count >= force_refreshes_a_day) return std::nullopt;
  ++refreshes.count;
  refreshes.last = now.steady;
  for (Token& token : tokens_) {
    if (token.kind == Kind::stable && token.appid == appid && token.killed_by == 0) token.killed_by = 40001;
  }
  return issue(appid, Kind::stable, now.steady);
}

IssuedToken TokenBook::plain(std::string_view appid, core::SteadyTime now) {
  for (Token& token : tokens_) {
    if (token.kind == Kind::plain && token.appid == appid) token.end = std::min(token.end, now + overlap);
  }
  return issue(appid, Kind::plain, now);
}

TokenStanding TokenBook::standing(std::string_view token, core::SteadyTime now) const {
  auto const found = std::ranges::find(tokens_, token, &Token::text);
  if (found == tokens_.end()) return {.errcode = 40001, .appid = {}};
  if (found->killed_by != 0) return {.errcode = found->killed_by, .appid = {}};
  if (now >= found->end) return {.errcode = 42001, .appid = {}};
  return {.errcode = 0, .appid = found->appid};
}

void TokenBook::retire(std::string_view token) {
  auto const found = std::ranges::find(tokens_, token, &Token::text);
  if (found != tokens_.end()) found->retired = true;
}

void TokenBook::kill_all(int errcode, bool again) {
  for (Token& token : tokens_) {
    if (token.killed_by == 0) token.killed_by = errcode;
    token.again = again;
  }
}

void TokenBook::clear() {
  tokens_.clear();
  force_refreshes_.clear();
}

}  // namespace onetap::app
