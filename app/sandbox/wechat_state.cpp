#include "app/sandbox/wechat_state.hpp"

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cctype>
#include <charconv>
#include <span>
#include <utility>

#include "core/crypto/digest.hpp"
#include "net/query.hpp"

namespace onetap::app {

namespace json = boost::json;
using net::query_parameter;

namespace {

constexpr std::size_t codes_max = 200'000;
constexpr std::size_t wechat_path_bytes_max = 64;
constexpr std::string_view foreign_appid = "wxffffffffffffffff";

enum class RidStyle { plain, after_comma, after_hint };

struct ErrorText {
  int errcode;
  std::string_view text;
  RidStyle style;
};

// Verbatim from real captures (facts/wechat-api.md §1.3, §3.3, §4.1). The last seven have only been seen in
// WeChat's general table or not at all; their words are ours.
constexpr std::array error_texts{
    ErrorText{-1, "system error", RidStyle::plain},
    ErrorText{40001,
              "invalid credential, access_token is invalid or not latest, could get access_token by "
              "getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
              RidStyle::plain},
    ErrorText{40002, "invalid grant_type", RidStyle::plain},
    ErrorText{40013, "invalid appid", RidStyle::after_hint},
    ErrorText{40014, "invalid access_token", RidStyle::plain},
    ErrorText{40029, "invalid code", RidStyle::after_hint},
    ErrorText{40125, "invalid appsecret", RidStyle::after_comma},
    ErrorText{40163, "code been used", RidStyle::after_comma},
    ErrorText{40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist", RidStyle::plain},
    ErrorText{41001, "access_token missing", RidStyle::plain},
    ErrorText{41002, "appid missing", RidStyle::after_comma},
    ErrorText{41004, "appsecret missing", RidStyle::after_comma},
    ErrorText{42001, "access_token expired", RidStyle::plain},
    ErrorText{45009,
              "reach max api daily quota limit, could get access_token by getStableAccessToken, more "
              "details at https://mmbizurl.cn/s/JtxxFh33r",
              RidStyle::plain},
    ErrorText{45011, "api minute-quota reach limit, must slower, retry next minute", RidStyle::plain},
    ErrorText{47001, "data format error", RidStyle::after_hint},
    ErrorText{48001, "api unauthorized", RidStyle::plain},
    ErrorText{43001, "require GET method", RidStyle::plain},
    ErrorText{43002, "require POST method", RidStyle::plain},
    ErrorText{44002, "empty post data", RidStyle::after_hint},
    ErrorText{40003, "invalid openid", RidStyle::plain},
    ErrorText{76021, "cgi_path not found", RidStyle::plain},
    ErrorText{10120700, "invalid spuId", RidStyle::plain},
    ErrorText{87009, "invalid signature", RidStyle::plain},
    ErrorText{1400001, "no enough quota", RidStyle::plain},
    ErrorText{unlisted_errcode, "something that no page lists", RidStyle::plain},
};

std::optional<json::object> parse_object(std::string_view body) {
  boost::system::error_code failure;
  json::value value = json::parse(body, failure);
  if (failure || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

std::string string_in(json::object const& object, std::string_view name) {
  json::value const* const member = object.if_contains(name);
  return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::string sha256_hex(std::string_view text) { return core::crypto::to_hex(core::crypto::sha256(text)); }

/// `count` decimal digits that depend on the text only.
std::string digits_from(std::string_view text, int count) {
  std::string digits;
  core::crypto::Digest const digest = core::crypto::sha256(text);
  for (unsigned char const byte : std::span(digest).first(static_cast<std::size_t>(count))) {
    digits += static_cast<char>('0' + byte % 10);
  }
  return digits;
}

WechatAnswer good(json::object const& object) {
  WechatAnswer answer;
  answer.body = json::serialize(object);
  return answer;
}

json::object phone_info(std::string const& code, TestBehaviour behaviour, std::string const& appid,
                        core::WallTime at) {
  json::object watermark;
  watermark["timestamp"] = core::unix_seconds(at);
  watermark["appid"] = behaviour == TestBehaviour::foreign_appid ? foreign_appid : std::string_view(appid);
  json::object phone;
  if (behaviour == TestBehaviour::abroad) {
    std::string const pure = "6" + digits_from(code, 7);
    phone["phoneNumber"] = "+852" + pure;  // with or without "+": unknown (facts §1.2)
    phone["purePhoneNumber"] = pure;
    phone["countryCode"] = 852;
  } else {
    std::string const pure = code == "sandbox-ok" ? "13800138000" : "138" + digits_from(code, 8);
    phone["phoneNumber"] = pure;
    phone["purePhoneNumber"] = pure;
    phone["countryCode"] = "86";
  }
  phone["watermark"] = std::move(watermark);
  return phone;
}

WechatAnswer phone_answer(std::string const& code, TestBehaviour behaviour, std::string const& appid,
                          core::WallTime at) {
  json::object object;
  object["errcode"] = 0;
  object["errmsg"] = "ok";
  object["phone_info"] = phone_info(code, behaviour, appid, at);
  return good(object);
}

TestBehaviour behaviour_of(std::string_view code) {
  TestCode const* const line = find_test_code(code);
  return line == nullptr ? TestBehaviour::succeed : line->behaviour;
}

std::string_view user_in(std::string_view js_code) { return js_code.substr(0, js_code.find("--")); }

std::string wechat_key(std::string const& text) {
  constexpr std::size_t key_bytes = 16;
  core::crypto::Digest const digest = core::crypto::sha256(text);
  return core::crypto::to_base64(std::span(digest).first(key_bytes));
}

constexpr std::string_view user_key_iv = "6003f73ec441c386";

std::string user_key(std::string const& openid, int version) {
  return wechat_key("user_key:" + openid + ":" + std::to_string(version));
}

/// What never gets as far as a WeChat answer; none for the other behaviours.
/// 0 for what is no number, as WeChat treats a parameter that is missing.
std::size_t number_in(std::string const& text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::optional<WechatAnswer> broken_answer(TestBehaviour behaviour) {
  if (behaviour == TestBehaviour::garble_answer) {
    return WechatAnswer{.content_type = "text/plain", .body = "\x01garbage, not JSON {\"errcode\":"};
  }
  if (behaviour == TestBehaviour::fail_gateway) {
    return WechatAnswer{
        .status = 500,
        .content_type = "text/html",
        .body =
            "<html><head><title>500 Internal Server Error</title></head><body><h1>500 Internal "
            "Server Error</h1></body></html>\r\n"};
  }
  constexpr std::string_view html = "text/html";
  switch (behaviour) {
    case TestBehaviour::reset_unread: return WechatAnswer{.manner = Manner::reset, .body = {}};
    case TestBehaviour::redirect:
      return WechatAnswer{.status = 302,
                          .content_type = std::string(html),
                          .body = "<html><body>302 Found</body></html>",
                          .headers = {{"Location", std::string(phone_number_path)}}};
    case TestBehaviour::bad_gateway:
      return WechatAnswer{.status = 502,
                          .content_type = std::string(html),
                          .body = "<html><body>502 Bad Gateway</body></html>"};
    case TestBehaviour::say_nothing: return WechatAnswer{.body = {}};
    case TestBehaviour::nan: return WechatAnswer{.body = R"({"errcode":NaN,"errmsg":"ok"})"};
    case TestBehaviour::deep: {
      constexpr std::size_t depth = 10'000;
      return WechatAnswer{.body = R"({"errcode":0,"errmsg":"ok","phone_info":)" + std::string(depth, '[') +
                                  std::string(depth, ']') + "}"};
    }
    default: return std::nullopt;
  }
}

Manner manner_of(TestBehaviour behaviour) {
  switch (behaviour) {
    case TestBehaviour::answer_late: return Manner::late;
    case TestBehaviour::lose_answer: return Manner::never;
    case TestBehaviour::reset_read: return Manner::reset;
    case TestBehaviour::cut_head: return Manner::cut_head;
    case TestBehaviour::drip: return Manner::drip;
    case TestBehaviour::huge: return Manner::huge;
    case TestBehaviour::length_short: return Manner::length_short;
    case TestBehaviour::length_long: return Manner::length_long;
    case TestBehaviour::length_twice: return Manner::length_twice;
    case TestBehaviour::bad_chunk: return Manner::bad_chunk;
    case TestBehaviour::tls_alert: return Manner::tls_alert;
    case TestBehaviour::no_goodbye: return Manner::no_goodbye;
    default: return Manner::at_once;
  }
}

/// RFC 1952, with one stored block: it is not about saving bytes.
std::string gzipped(std::string_view text) {
  std::string zipped("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01", 11);
  auto const append_little_endian = [&zipped](std::uint32_t number, int bytes) {
    for (int byte = 0; byte < bytes; ++byte) zipped += static_cast<char>((number >> (8 * byte)) & 0xffU);
  };
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  auto const size = static_cast<std::uint32_t>(text.size());
  append_little_endian(size, 2);
  append_little_endian(~size, 2);
  zipped += text;
  append_little_endian(crc.checksum(), 4);
  append_little_endian(size, 4);
  return zipped;
}

/// False when its JSON is as good as before.
bool spoil(TestBehaviour behaviour, WechatAnswer& answer) {
  constexpr std::string_view errcode_0 = R"({"errcode":0)";
  switch (behaviour) {
    case TestBehaviour::half_json: answer.body.resize(answer.body.size() / 2); return true;
    case TestBehaviour::gzip:
      answer.body = gzipped(answer.body);
      answer.headers.emplace_back("Content-Encoding", "gzip");
      return true;
    case TestBehaviour::errcode_twice:
      answer.body.replace(0, errcode_0.size(), R"({"errcode":40029,"errcode":0)");
      return true;
    case TestBehaviour::errcode_text:
      answer.body.replace(0, errcode_0.size(), R"({"errcode":"0")");
      return false;
    default: return false;
  }
}

bool looks_like_a_secret(std::string_view secret) {
  auto const is_hex = [](char character) {
    return std::isxdigit(static_cast<unsigned char>(character)) != 0;
  };
  return secret.size() == 32 && std::ranges::all_of(secret, is_hex);
}

}  // namespace

WechatState::WechatState(WechatOptions options, std::uint64_t seed)
    : options_(std::move(options)),
      seed_(seed),
      tokens_(seed, options_.token_life),
      codes_(codes_max),
      login_codes_(codes_max),
      users_(codes_max),
      logged_in_(codes_max) {}

WechatAnswer WechatState::answer(WechatCall const& call, Moment now) {
  JournalEntry entry{.at = now.wall,
                     .method = std::string(call.method),
                     .path = std::string(call.path.substr(0, wechat_path_bytes_max)),
                     .has_content_length = call.has_content_length};
  WechatAnswer answer = judge(call, now, entry);
  entry.status = answer.status;
  journal_.add(std::move(entry), call.path == phone_number_path);
  return answer;
}

void WechatState::note_refusal(std::string_view method, std::string_view path, int status,
                               core::WallTime at) {
  journal_.add({.at = at,
                .method = std::string(method),
                .path = std::string(path.substr(0, wechat_path_bytes_max)),
                .status = status},
               false);
}

WechatAnswer WechatState::judge(WechatCall const& call, Moment now, JournalEntry& entry) {
  bool const is_post = call.method == "POST";
  if (is_post && !call.has_content_length) return {.status = 412, .body = {}};
  if (call.path == user_encrypt_key_path) return get_user_encrypt_key(call, now, entry);
  if (call.path == api_quota_path) return get_api_quota(call, now, entry);
  if (call.path == charge_usage_path || call.path == recent_average_path)
    return get_charges(call, now, entry);
  if (call.path == phone_number_path || call.path == stable_token_path) {
    if (!is_post) return error(43002, now, entry);
    return call.path == phone_number_path ? get_phone_number(call, now, entry)
                                          : get_stable_token(call, now, entry);
  }
  if (call.path == token_path || call.path == login_path) {
    if (call.method != "GET") return error(43001, now, entry);
    return call.path == token_path ? get_token(call, now, entry) : log_in(call, now, entry);
  }
  return {.status = 404, .content_type = "text/html", .body = {}};
}

int WechatState::check_account(std::string const& appid, std::string const& secret) const {
  if (options_.token_errcode != 0) return options_.token_errcode;
  if (appid.empty()) return 41002;
  if (secret.empty()) return 41004;
  if (!options_.appid.empty() && appid != options_.appid) return 40013;
  if (options_.secret.empty() || secret == options_.secret) return 0;
  return looks_like_a_secret(secret) ? 40001 : 40125;
}

WechatAnswer WechatState::get_stable_token(WechatCall const& call, Moment now, JournalEntry& entry) {
  if (call.body.empty()) return error(44002, now, entry);
  std::optional<json::object> const body = parse_object(call.body);
  if (!body) return error(47001, now, entry);
  std::string const appid = string_in(*body, "appid");
  int const refused = check_account(appid, string_in(*body, "secret"));
  if (refused != 0) return error(refused, now, entry);
  if (string_in(*body, "grant_type") != "client_credential") return error(40002, now, entry);

  json::value const* const force = body->if_contains("force_refresh");
  std::optional<IssuedToken> token;
  if (force != nullptr && force->is_bool() && force->get_bool()) {
    token = tokens_.force_refresh(appid, now);
  } else {
    token = tokens_.stable(appid, now.steady);
  }
  if (!token) return error(45009, now, entry);
  json::object object;
  object["access_token"] = token->token;
  object["expires_in"] = token->expires_in.count();
  return good(object);
}

WechatAnswer WechatState::get_token(WechatCall const& call, Moment now, JournalEntry& entry) {
  std::string const appid = query_parameter(call.query, "appid");
  int const refused = check_account(appid, query_parameter(call.query, "secret"));
  if (refused != 0) return error(refused, now, entry);
  if (query_parameter(call.query, "grant_type") != "client_credential") return error(40002, now, entry);
  IssuedToken const token = tokens_.plain(appid, now.steady);
  json::object object;
  object["access_token"] = token.token;
  object["expires_in"] = token.expires_in.count();
  return good(object);
}

WechatAnswer WechatState::get_phone_number(WechatCall const& call, Moment now, JournalEntry& entry) {
  std::optional<json::object> const body = parse_object(call.body);
  std::string const code = body ? string_in(*body, "code") : std::string();
  if (!code.empty()) {  // the witness counts the code even where the token keeps WeChat from looking at it
    entry.code_digest = sha256_hex(code);
    TestCode const* const line = next_times_ > 0 ? next_ : find_test_code(code);
    if (line != nullptr) entry.test_code = line->code;
  }

  std::string const token = query_parameter(call.query, "access_token");
  if (token.empty()) return error(41001, now, entry);
  TokenStanding const standing = tokens_.standing(token, now.steady);
  if (standing.errcode != 0) return error(standing.errcode, now, entry);
  if (call.body.empty()) return error(44002, now, entry);
  if (!body) return error(47001, now, entry);
  if (code.empty()) return error(40029, now, entry);
  return exchange_code(code, token, standing.appid, now, entry);
}

WechatAnswer WechatState::exchange_code(std::string const& code, std::string const& token,
                                        std::string const& appid, Moment now, JournalEntry& entry) {
  Fate& fate = sight(codes_, entry.code_digest, now);
  TestCode const* const line = line_for(code);
  TestBehaviour const behaviour = line == nullptr ? TestBehaviour::succeed : line->behaviour;
  if (behaviour == TestBehaviour::refuse) return error(line->errcode, now, entry);
  if (auto broken = broken_answer(behaviour)) return std::move(*broken);
  if (is_dead(fate, now)) return error(40029, now, entry);
  if (behaviour == TestBehaviour::expire_token &&
      (fate.refused_token.empty() || fate.refused_token == token)) {
    fate.refused_token = token;
    tokens_.retire(token);  // still good for other codes, so that one test does not disturb another
    return error(line->errcode, now, entry);
  }
  fate.used = true;
  if (!std::exchange(fate.charged, true)) charges_.burn(core::Kind::quick, now.wall);
  if (behaviour == TestBehaviour::busy_but_used_up) return error(line->errcode, now, entry);
  entry.produced_number = true;
  WechatAnswer answer = phone_answer(code, behaviour, appid, now.wall);
  answer.manner = manner_of(behaviour);
  bool const is_whole = answer.manner == Manner::at_once || answer.manner == Manner::late;
  if (is_whole && !spoil(behaviour, answer)) entry.errcode = 0;
  return answer;
}

TestCode const* WechatState::line_for(std::string_view code) {
  if (next_times_ == 0) return find_test_code(code);
  --next_times_;
  return next_;
}

// Free: facts/wechat-api.md §2.6. Nothing is limited here.
WechatAnswer WechatState::get_api_quota(WechatCall const& call, Moment now, JournalEntry& entry) {
  if (call.method != "POST") return error(43002, now, entry);
  std::string const token = query_parameter(call.query, "access_token");
  if (token.empty()) return error(41001, now, entry);
  int const refused = tokens_.standing(token, now.steady).errcode;
  if (refused != 0) return error(refused, now, entry);
  std::optional<json::object> const body = parse_object(call.body);
  if (!body) return error(47001, now, entry);
  if (string_in(*body, "cgi_path") != phone_number_path) return error(76021, now, entry);
  json::object object;
  object["errcode"] = 0;
  object["errmsg"] = "ok";
  object["quota"] = json::object{{"daily_limit", 0}, {"used", 0}, {"remain", 0}};
  return good(object);
}

// Parameters in the query; whoever asks for more than 20 packs gets 20 (facts §2.1).
WechatAnswer WechatState::get_charges(WechatCall const& call, Moment now, JournalEntry& entry) {
  if (call.method != "GET") return error(43001, now, entry);
  std::string const token = query_parameter(call.query, "access_token");
  if (token.empty()) return error(41001, now, entry);
  int const refused = tokens_.standing(token, now.steady).errcode;
  if (refused != 0) return error(refused, now, entry);
  std::string const spu_id = query_parameter(call.query, "spuId");
  constexpr std::size_t packs_max = 20;
  std::size_t const offset = number_in(query_parameter(call.query, "offset"));
  std::size_t const limit = std::min(number_in(query_parameter(call.query, "limit")), packs_max);
  auto const object = call.path == recent_average_path ? charges_.average(spu_id)
                                                       : charges_.usage(spu_id, offset, limit, now.wall);
  return object ? good(*object) : error(10120700, now, entry);
}

WechatAnswer WechatState::log_in(WechatCall const& call, Moment now, JournalEntry& entry) {
  std::string const appid = query_parameter(call.query, "appid");
  int const refused = check_account(appid, query_parameter(call.query, "secret"));
  if (refused != 0) return error(refused, now, entry);
  if (query_parameter(call.query, "grant_type") != "authorization_code") return error(40002, now, entry);
  std::string const code = query_parameter(call.query, "js_code");
  if (code.empty()) return error(40029, now, entry);

  entry.code_digest = sha256_hex(code);
  TestCode const* const line = find_test_code(code);
  if (line != nullptr) entry.test_code = line->code;
  TestBehaviour const behaviour = behaviour_of(code);
  if (behaviour == TestBehaviour::refuse) return error(line->errcode, now, entry);
  if (auto broken = broken_answer(behaviour)) return std::move(*broken);
  Fate& fate = sight(login_codes_, entry.code_digest, now);
  if (fate.used) return error(40163, now, entry);  // unlike phone codes (facts §1.3)
  if (is_dead(fate, now)) return error(40029, now, entry);
  fate.used = true;

  constexpr std::size_t openid_tail = 27;
  std::string const name(user_in(code));
  std::string const openid = "o" + sha256_hex("openid:" + appid + ":" + name).substr(0, openid_tail);
  User& user = users_.at(openid);
  user.appid = appid;
  user.session_key = wechat_key("session_key:" + code);
  logged_in_.at(name) = openid;
  json::object object;  // errcode and errmsg are absent (facts §4.1)
  object["openid"] = openid;
  object["session_key"] = user.session_key;
  WechatAnswer answer = good(object);
  answer.manner = manner_of(behaviour);
  return answer;
}

// Three keys, of which the newest lives (facts §6.2).
WechatAnswer WechatState::get_user_encrypt_key(WechatCall const& call, Moment now, JournalEntry& entry) {
  std::string const token = query_parameter(call.query, "access_token");
  TokenStanding const standing = tokens_.standing(token, now.steady);
  if (standing.errcode != 0) return error(standing.errcode, now, entry);
  std::string const openid = query_parameter(call.query, "openid");
  User const* const user = users_.find(openid);
  if (user == nullptr) return error(40003, now, entry);
  auto const* const key = reinterpret_cast<unsigned char const*>(user->session_key.data());
  std::string const right =
      core::crypto::to_hex(core::crypto::hmac_sha256(std::span(key, user->session_key.size()), {}));
  if (query_parameter(call.query, "signature") != right || !call.body.empty())
    return error(87009, now, entry);
  json::array keys;
  constexpr int keys_listed = 3;
  constexpr int key_life_s = 3600;
  for (int version = user->key_version; version > user->key_version - keys_listed; --version) {
    json::object listed;
    listed["encrypt_key"] = user_key(openid, version);
    listed["version"] = version;
    listed["expire_in"] = version == user->key_version ? key_life_s : 0;
    listed["iv"] = user_key_iv;
    listed["create_time"] = core::unix_seconds(now.wall);
    keys.push_back(std::move(listed));
  }
  json::object object;
  object["errcode"] = 0;
  object["errmsg"] = "ok";
  object["key_info_list"] = std::move(keys);
  return good(object);
}

std::optional<EncryptedUserData> WechatState::encrypt_number_of(std::string const& code,
                                                                std::string_view js_code, Moment now) {
  std::string const* const openid = openid_of(js_code);
  if (openid == nullptr) return std::nullopt;
  User const* const user = users_.find(*openid);
  constexpr std::size_t iv_bytes = 16;
  return encrypt_user_data(json::serialize(phone_info(code, behaviour_of(code), user->appid, now.wall)),
                           user->session_key, chance("iv").substr(0, iv_bytes));
}

std::optional<LatestUserKey> WechatState::latest_user_key(std::string_view js_code) const {
  std::string const* const openid = openid_of(js_code);
  if (openid == nullptr) return std::nullopt;
  int const version = users_.find(*openid)->key_version;
  return LatestUserKey{
      .encrypt_key = user_key(*openid, version), .iv = std::string(user_key_iv), .version = version};
}

void WechatState::rotate_user_key(std::string_view js_code) {
  if (std::string const* const openid = openid_of(js_code)) ++users_.at(*openid).key_version;
}

std::string const* WechatState::openid_of(std::string_view js_code) const {
  std::string const* const openid = logged_in_.find(std::string(user_in(js_code)));
  return openid != nullptr && users_.find(*openid) != nullptr ? openid : nullptr;
}

std::string WechatState::issue_code(TestCode const* test_code, Moment now, core::Kind kind) {
  constexpr std::size_t tail = 16;
  std::string const random = chance("code");
  std::string code =
      test_code == nullptr ? random : std::string(test_code->code) + "-" + random.substr(0, tail);
  Fate& fate = codes_.at(sha256_hex(code));
  fate.born = now.steady;
  fate.charged = true;
  charges_.burn(kind, now.wall);
  return code;
}

void WechatState::reset() {
  next_times_ = 0;
  charges_ = ChargeBook();
  tokens_.clear();
  codes_.clear();
  login_codes_.clear();
  users_.clear();
  logged_in_.clear();
  journal_.clear();
}

WechatState::Fate& WechatState::sight(BoundedMap<Fate>& fates, std::string const& digest, Moment now) {
  Fate& fate = fates.at(digest);
  if (!fate.born) fate.born = now.steady;
  return fate;
}

bool WechatState::is_dead(Fate const& fate, Moment now) const {
  return fate.used || now.steady - fate.born.value_or(now.steady) >= options_.code_life;
}

std::string WechatState::chance(std::string_view purpose) {
  return sha256_hex(std::string(purpose) + ":" + std::to_string(seed_) + ":" + std::to_string(++drawn_));
}

WechatAnswer WechatState::error(int errcode, Moment now, JournalEntry& entry) {
  entry.errcode = errcode;
  auto const* const known = std::ranges::find(error_texts, errcode, &ErrorText::errcode);
  std::string errmsg(known == error_texts.end() ? "error" : known->text);
  RidStyle const style = known == error_texts.end() ? RidStyle::plain : known->style;

  // "8 hex-8 hex-8 hex", the first from the time; a hint is "9 characters-6 characters" (facts §9).
  std::string const random = chance("rid");
  auto const seconds = static_cast<std::uint32_t>(core::unix_seconds(now.wall));
  std::array<unsigned char, 4> const time{
      static_cast<unsigned char>(seconds >> 24U), static_cast<unsigned char>(seconds >> 16U),
      static_cast<unsigned char>(seconds >> 8U), static_cast<unsigned char>(seconds)};
  if (style == RidStyle::after_hint) {
    errmsg += " hint: [" + random.substr(16, 9) + "-" + random.substr(25, 6) + "]";
  }
  errmsg += style == RidStyle::after_comma ? ", rid: " : " rid: ";
  errmsg += core::crypto::to_hex(time) + "-" + random.substr(0, 8) + "-" + random.substr(8, 8);

  json::object object;
  object["errcode"] = errcode;
  object["errmsg"] = errmsg;
  return good(object);
}

}  // namespace onetap::app
