#include "app/token_file.hpp"

#include <algorithm>
#include <boost/json/object.hpp>

#include "app/settings.hpp"
#include "app/worker.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace onetap::app {
namespace {

constexpr auto reread_life = core::seconds(60);  // half of which the schedule waits before it looks again
constexpr std::size_t token_bytes_max = 2048;    // WeChat wants room for 512 (facts/wechat-api.md §3.2)

core::TokenAnswer unusable(std::string hint) { return {.hint = "ONETAP_TOKEN_MODE: " + std::move(hint)}; }

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto const begin = std::min(text.find_first_not_of(blanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

}  // namespace

core::TokenAnswer read_token_file(std::string_view text, core::WallTime now) {
  std::string token(trimmed(text));
  core::seconds life = reread_life;
  if (token.starts_with('{')) {
    auto const object = core::parse_wechat_json(token);
    if (!object) return unusable("the file begins like JSON and is none");
    auto const member = core::string_member(*object, "access_token");
    if (!member) return unusable("the file is a JSON object without access_token");
    token = *member;
    if (auto const expires_at_s = core::wechat_integer_member(*object, "expires_at")) {
      core::seconds const left(*expires_at_s - core::unix_seconds(now));
      if (left <= core::seconds(0)) return unusable("the file's access_token has expired");
      life = std::min(life, left);
    }
  }
  if (token.empty()) return unusable("the file is empty");
  if (token.size() > token_bytes_max || !core::is_visible_ascii(token))
    return unusable("the file does not hold an access_token");
  return {.fetched = core::FetchedToken{.token = core::AccessToken(std::move(token)), .lifetime = life}};
}

core::Task<core::TokenAnswer> TokenFile::fetch(core::SteadyTime /*deadline*/) {
  auto read = [this] { return read_text_file(path_); };
  auto const text = co_await run_on(worker_, read);
  if (!text) co_return unusable("cannot read " + path_ + ": " + text.error());
  co_return read_token_file(*text, clock_.wall());
}

}  // namespace onetap::app
