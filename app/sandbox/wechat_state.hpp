#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/sandbox/bounded_map.hpp"
#include "app/sandbox/charge_book.hpp"
#include "app/sandbox/journal.hpp"
#include "app/sandbox/test_codes.hpp"
#include "app/sandbox/token_book.hpp"
#include "app/sandbox/user_data.hpp"

namespace onetap::app {

/// The paths of api.weixin.qq.com that the stand-in knows.
inline constexpr std::string_view stable_token_path = "/cgi-bin/stable_token";
inline constexpr std::string_view token_path = "/cgi-bin/token";
inline constexpr std::string_view phone_number_path = "/wxa/business/getuserphonenumber";
inline constexpr std::string_view login_path = "/sns/jscode2session";
inline constexpr std::string_view user_encrypt_key_path = "/wxa/business/getuserencryptkey";
inline constexpr std::string_view api_quota_path = "/cgi-bin/openapi/quota/get";
inline constexpr std::string_view charge_usage_path = "/wxa/charge/usage/get";
inline constexpr std::string_view recent_average_path = "/wxa/charge/usage/get_recent_average";

struct WechatOptions {
  std::string appid;                // empty: any appid is somebody
  std::string secret;               // empty: any secret is right
  core::seconds token_life{7200};   // facts/wechat-api.md §3.1; 300 has been seen
  core::seconds code_life{5 * 60};  // facts §1.4
  int token_errcode = 0;            // of everybody who asks for a token; 0: none
};

/// One request to WeChat, without its HTTP.
struct WechatCall {
  std::string_view method;
  std::string_view path;
  std::string_view query;
  std::string_view body;
  bool has_content_length = false;
};

/// How an answer goes out.
enum class Manner {
  at_once,
  late,   // after the caller's patience
  never,  // the connection closes instead
  // As broken_delivery tells.
  reset,
  cut_head,
  drip,
  huge,
  length_short,
  length_long,
  length_twice,
  bad_chunk,
  tls_alert,
  no_goodbye,
};

struct WechatAnswer {
  Manner manner = Manner::at_once;
  int status = 200;
  std::string content_type = "application/json; encoding=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// What `wx.getUserCryptoManager().getLatestUserKey` hands to the page.
struct LatestUserKey {
  std::string encrypt_key;  // base64 of 16 bytes
  std::string iv;
  int version = 0;
};

/// What WeChat knows and decides, without sockets, clock or chance: time and seed are handed in.
/// Errors are HTTP 200 with an errcode, and errmsg carries a rid, as facts/wechat-api.md says.
class WechatState {
 public:
  WechatState(WechatOptions options, std::uint64_t seed);

  /// The whole surface: every path, every method.
  [[nodiscard]] WechatAnswer answer(WechatCall const& call, Moment now);

  /// A call that HTTP refused before it could be judged, for the journal. `path` is empty where even that
  /// was not read.
  void note_refusal(std::string_view method, std::string_view path, int status, core::WallTime at);

  /// What the page's button does: a code whose life begins now. With `test_code` (a line of the table) the
  /// code is one of that line; without, it looks like WeChat's own: 64 hex digits. It is charged now; one
  /// that was not issued here is when it is exchanged, as quick.
  [[nodiscard]] std::string issue_code(TestCode const* test_code, Moment now,
                                       core::Kind kind = core::Kind::quick);

  /// What the button yields beside a code: its number, encrypted for the user who logged in with `js_code`.
  /// None when nobody has. In a js_code, what comes before "--" names the user, so that one can log in anew.
  [[nodiscard]] std::optional<EncryptedUserData> encrypt_number_of(std::string const& code,
                                                                   std::string_view js_code, Moment now);

  /// The user's own key, as the page of who logged in with `js_code` gets it. None when nobody has.
  [[nodiscard]] std::optional<LatestUserKey> latest_user_key(std::string_view js_code) const;

  /// From now on there is another one, of the next version; nothing happens where nobody has logged in.
  void rotate_user_key(std::string_view js_code);

  /// Every access token dies now, with `errcode` for whoever brings it; with `again`, stable_token goes on
  /// handing out the dead one.
  void kill_tokens(int errcode, bool again = false) { tokens_.kill_all(errcode, again); }

  /// The next `times` codes, whatever they are, fare as `test_code`'s do.
  void treat_next_as(TestCode const& test_code, int times) {
    next_ = &test_code;
    next_times_ = times;
  }

  /// The resource packs.
  [[nodiscard]] ChargeBook& charges() { return charges_; }

  /// As if just started; tokens are forgotten, too.
  void reset();

  [[nodiscard]] Journal const& journal() const { return journal_; }
  [[nodiscard]] core::seconds code_life() const { return options_.code_life; }

 private:
  struct User {
    std::string appid;
    std::string session_key;
    int key_version = 3;  // of the newest of three keys
  };
  struct Fate {
    std::optional<core::SteadyTime> born;  // issued here, else seen first
    bool used = false;
    bool charged = false;
    std::string refused_token;  // of `expire_token`: good with any other token
  };

  [[nodiscard]] WechatAnswer judge(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer get_stable_token(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer get_token(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer get_phone_number(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer exchange_code(std::string const& code, std::string const& token,
                                           std::string const& appid, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer log_in(WechatCall const& call, Moment now, JournalEntry& entry);

  [[nodiscard]] WechatAnswer get_api_quota(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer get_charges(WechatCall const& call, Moment now, JournalEntry& entry);
  [[nodiscard]] WechatAnswer get_user_encrypt_key(WechatCall const& call, Moment now, JournalEntry& entry);

  /// The openid of who logged in with `js_code`; null when nobody has.
  [[nodiscard]] std::string const* openid_of(std::string_view js_code) const;

  /// The errcode that appid and secret get; 0 when they are right.
  [[nodiscard]] int check_account(std::string const& appid, std::string const& secret) const;
  [[nodiscard]] WechatAnswer error(int errcode, Moment now, JournalEntry& entry);
  /// The line that a code which is presented now fares by; null: it is good once.
  [[nodiscard]] TestCode const* line_for(std::string_view code);
  [[nodiscard]] bool is_dead(Fate const& fate, Moment now) const;
  [[nodiscard]] std::string chance(std::string_view purpose);
  [[nodiscard]] static Fate& sight(BoundedMap<Fate>& fates, std::string const& digest, Moment now);

  WechatOptions options_;
  std::uint64_t seed_;
  std::uint64_t drawn_ = 0;
  TestCode const* next_ = nullptr;
  int next_times_ = 0;
  TokenBook tokens_;
  ChargeBook charges_;
  BoundedMap<Fate> codes_;
  BoundedMap<Fate> login_codes_;
  BoundedMap<User> users_;             // by openid
  BoundedMap<std::string> logged_in_;  // openids, by the name in their js_code
  Journal journal_;
};

}  // namespace onetap::app
