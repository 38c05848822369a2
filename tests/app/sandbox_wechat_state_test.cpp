#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <regex>
#include <set>

#include "app/sandbox/wechat_state.hpp"
#include "core/crypto/digest.hpp"

using namespace onetap::app;
using namespace std::chrono_literals;
namespace core = onetap::core;
namespace json = boost::json;

namespace {

constexpr char const* appid = "wx1111111111111111";
constexpr std::int64_t start_unix_s = 1'795'334'400;

constexpr Moment at(core::seconds since_start) {
  return {.steady = core::SteadyTime(since_start + 1000h),
          .wall = core::wall_time_of_unix_ms(start_unix_s * 1000) + since_start};
}

std::string digest_of(std::string_view code) { return core::crypto::to_hex(core::crypto::sha256(code)); }

/// A caller with a good token.
struct Caller {
  explicit Caller(WechatOptions const& options = {}) : state(options, 7) {}

  WechatAnswer call(std::string_view method, std::string_view path, std::string_view query,
                    std::string_view body, core::seconds when = 0s) {
    return state.answer(
        {.method = method, .path = path, .query = query, .body = body, .has_content_length = true}, at(when));
  }
  json::value get(std::string_view path, std::string const& query, core::seconds when = 0s) {
    return json::parse(call("GET", path, query, "", when).body);
  }
  json::value stable(std::string const& body, core::seconds when = 0s) {
    return json::parse(call("POST", stable_token_path, "", body, when).body);
  }
  std::string token(core::seconds when = 0s) {
    json::value const answer = stable(
        R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s","force_refresh":false})",
        when);
    return std::string(answer.at("access_token").as_string());
  }
  WechatAnswer exchange(std::string const& code, core::seconds when = 0s) {
    return exchange_with(token(when), code, when);
  }
  WechatAnswer exchange_with(std::string const& access_token, std::string const& code,
                             core::seconds when = 0s) {
    return call("POST", phone_number_path, "access_token=" + access_token, R"({"code":")" + code + R"("})",
                when);
  }
  json::value number(std::string const& code, core::seconds when = 0s) {
    return json::parse(exchange(code, when).body);
  }
  std::int64_t errcode(std::string const& code, core::seconds when = 0s) {
    return number(code, when).at("errcode").as_int64();
  }
  json::value log_in(std::string const& code, core::seconds when = 0s) {
    return get(login_path, "appid=wx1111111111111111&secret=s&grant_type=authorization_code&js_code=" + code,
               when);
  }
  json::value user_keys(std::string const& openid, std::string const& session_key) {
    auto const* const key = reinterpret_cast<unsigned char const*>(session_key.data());
    std::string const signature =
        core::crypto::to_hex(core::crypto::hmac_sha256({key, session_key.size()}, {}));
    return json::parse(call("POST", user_encrypt_key_path,
                            "access_token=" + token() + "&openid=" + openid + "&signature=" + signature +
                                "&sig_method=hmac_sha256",
                            "")
                           .body);
  }

  WechatState state;
};

bool has_rid(json::value const& answer) {
  static std::regex const form("rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$");
  json::string const& errmsg = answer.at("errmsg").as_string();
  return std::regex_search(errmsg.begin(), errmsg.end(), form);
}

std::string errmsg_of(json::value const& answer) { return std::string(answer.at("errmsg").as_string()); }

}  // namespace

TEST_CASE("a code becomes a number in WeChat's shape") {
  Caller caller;
  WechatAnswer const raw = caller.exchange("sandbox-ok");
  CHECK(raw.status == 200);
  CHECK(raw.manner == Manner::at_once);
  CHECK(raw.content_type == "application/json; encoding=utf-8");
  CHECK(raw.body == R"({"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13800138000",)"
                    R"("purePhoneNumber":"13800138000","countryCode":"86",)"
                    R"("watermark":{"timestamp":1795334400,"appid":"wx1111111111111111"}}})");
}

TEST_CASE("the number follows from the code alone") {
  Caller caller;
  Caller another({.token_life = 300s});
  json::value const here = caller.number("sandbox-ok-li");
  json::value const there = another.number("sandbox-ok-li", 60s);
  json::value const other = caller.number("sandbox-ok-wang");
  auto const phone = [](json::value const& answer) {
    return std::string(answer.at("phone_info").at("phoneNumber").as_string());
  };
  CHECK(phone(here) == phone(there));
  CHECK(phone(here) != phone(other));
  CHECK(std::regex_match(phone(here), std::regex("138[0-9]{8}")));
  CHECK(there.at("phone_info").at("watermark").at("timestamp").as_int64() == start_unix_s + 60);
}

TEST_CASE("every code is good once, then 40029") {
  Caller caller;
  for (std::string const code : {"sandbox-ok", "sandbox-ok-2", "sandbox-foreign-1", "sandbox-abroad-1",
                                 "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"}) {
    CAPTURE(code);
    CHECK(caller.errcode(code) == 0);
    CHECK(caller.errcode(code) == 40029);
    CHECK(caller.errcode(code) == 40029);
    CHECK(caller.state.journal().counts_of(digest_of(code)).calls == 3);
    CHECK(caller.state.journal().counts_of(digest_of(code)).numbers == 1);
  }
}

TEST_CASE("each refusing test code says its errcode every time, with a rid") {
  Caller caller;
  for (TestCode const& line : test_codes) {
    if (line.behaviour != TestBehaviour::refuse) continue;
    CAPTURE(line.code);
    for (int i = 0; i < 2; ++i) {
      json::value const answer = caller.number(std::string(line.code) + "-1");
      CHECK(answer.at("errcode").as_int64() == line.errcode);
      CHECK(has_rid(answer));
    }
    CHECK(caller.state.journal().counts_of(digest_of(std::string(line.code) + "-1")).numbers == 0);
  }
}

TEST_CASE("the texts are WeChat's own, whatever the rid") {
  Caller caller;
  auto const matches = [&](std::string const& code, char const* form) {
    return std::regex_match(errmsg_of(caller.number(code)), std::regex(form));
  };
  CHECK(matches("sandbox-busy", "system error rid: .{26}"));
  CHECK(matches("sandbox-expired", R"(invalid code hint: \[.{9}-.{6}\] rid: .{26})"));
  CHECK(matches("sandbox-used", R"(invalid code hint: \[.{9}-.{6}\] rid: .{26})"));
  CHECK(matches("sandbox-minute-limit",
                "api minute-quota reach limit, must slower, retry next minute rid: .{26}"));
  CHECK(matches("sandbox-daily-limit", "reach max api daily quota limit, .* rid: .{26}"));
  CHECK(matches("sandbox-unauthorized", "api unauthorized rid: .{26}"));
  CHECK(matches("sandbox-ip", R"(invalid ip (\S+) ipv6 ::ffff:\1, not in whitelist rid: .{26})"));
}

TEST_CASE("a rid begins with the time and never comes twice") {
  Caller caller;
  std::set<std::string> rids;
  for (int i = 0; i < 50; ++i) {
    std::string const errmsg = errmsg_of(caller.number("sandbox-busy"));
    rids.insert(errmsg.substr(errmsg.size() - 26));
  }
  CHECK(rids.size() == 50);
  CHECK(rids.begin()->substr(0, 8) == "6b02a100");  // start_unix_s in hex
}

TEST_CASE("a slow answer uses the code up and goes out late") {
  Caller caller;
  WechatAnswer const answer = caller.exchange("sandbox-slow-1");
  CHECK(answer.manner == Manner::late);
  CHECK(json::parse(answer.body).at("errcode").as_int64() == 0);
  CHECK(caller.errcode("sandbox-slow-1") == 40029);
  CHECK(caller.state.journal().counts_of(digest_of("sandbox-slow-1")).numbers == 1);
}

TEST_CASE("a lost answer uses the code up, and the journal knows that there was a number") {
  Caller caller;
  CHECK(caller.exchange("sandbox-reset-1").manner == Manner::never);
  JournalEntry const entry = caller.state.journal().calls().back();
  CHECK(entry.produced_number);
  CHECK_FALSE(entry.errcode);
  CHECK(entry.test_code == "sandbox-reset");
  CHECK(caller.exchange("sandbox-reset-1").manner == Manner::at_once);
  CHECK(caller.errcode("sandbox-reset-1") == 40029);
}

TEST_CASE("garbage is HTTP 200 without JSON") {
  Caller caller;
  for (int i = 0; i < 2; ++i) {
    WechatAnswer const answer = caller.exchange("sandbox-garbage-1");
    boost::system::error_code not_json;
    std::ignore = json::parse(answer.body, not_json);
    CHECK(answer.status == 200);
    CHECK(not_json);
  }
}

TEST_CASE("a broken gateway is HTTP 500 with a page") {
  Caller caller;
  WechatAnswer const answer = caller.exchange("sandbox-http500-1");
  CHECK(answer.status == 500);
  CHECK(answer.content_type == "text/html");
  CHECK(answer.body.starts_with("<html>"));
  CHECK(caller.state.journal().calls().back().status == 500);
}

TEST_CASE("token-expired refuses the token once, and takes the next one") {
  Caller caller;
  std::string const old = caller.token();
  json::value const refused = json::parse(caller.exchange_with(old, "sandbox-token-expired-1").body);
  CHECK(refused.at("errcode").as_int64() == 42001);
  CHECK(has_rid(refused));

  std::string const next = caller.token();
  CHECK(next != old);
  SUBCASE("the code is good with the next token, once") {
    CHECK(json::parse(caller.exchange_with(next, "sandbox-token-expired-1").body).at("errcode").as_int64() ==
          0);
    CHECK(json::parse(caller.exchange_with(next, "sandbox-token-expired-1").body).at("errcode").as_int64() ==
          40029);
  }
  SUBCASE("it is not good with the refused token") {
    CHECK(json::parse(caller.exchange_with(old, "sandbox-token-expired-1").body).at("errcode").as_int64() ==
          42001);
  }
  SUBCASE("other codes are not disturbed") {
    CHECK(json::parse(caller.exchange_with(old, "sandbox-ok-1").body).at("errcode").as_int64() == 0);
  }
}

TEST_CASE("foreign carries the watermark of another appid") {
  Caller caller;
  json::value const answer = caller.number("sandbox-foreign-1");
  CHECK(answer.at("errcode").as_int64() == 0);
  CHECK(answer.at("phone_info").at("watermark").at("appid").as_string() != appid);
}

TEST_CASE("abroad has a country prefix, and countryCode is a number") {
  Caller caller;
  json::value const phone = caller.number("sandbox-abroad-1").at("phone_info");
  CHECK(phone.at("countryCode").as_int64() == 852);
  std::string const pure(phone.at("purePhoneNumber").as_string());
  CHECK(std::regex_match(pure, std::regex("6[0-9]{7}")));
  CHECK(phone.at("phoneNumber").as_string() == "+852" + pure);
}

TEST_CASE("a code lives 5 minutes from its first sight") {
  Caller caller;
  CHECK(caller.errcode("sandbox-token-expired-1", 0s) == 42001);
  CHECK(caller.errcode("sandbox-token-expired-2", 0s) == 42001);
  CHECK(caller.errcode("sandbox-token-expired-1", 299s) == 0);
  CHECK(caller.errcode("sandbox-token-expired-2", 300s) == 40029);
}

TEST_CASE("an issued code lives 5 minutes from its issue") {
  Caller caller;
  std::string const in_time = caller.state.issue_code(nullptr, at(0s));
  std::string const late = caller.state.issue_code(nullptr, at(0s));
  std::string const card = caller.state.issue_code(find_test_code("sandbox-abroad"), at(0s));
  CHECK(std::regex_match(in_time, std::regex("[0-9a-f]{64}")));
  CHECK(in_time != late);
  CHECK(card.starts_with("sandbox-abroad-"));
  CHECK(caller.errcode(in_time, 299s) == 0);
  CHECK(caller.errcode(late, 300s) == 40029);
  CHECK(caller.errcode(card, 300s) == 40029);
}

TEST_CASE("a number needs a token, and the right one") {
  Caller caller;
  auto const answer = [&](std::string const& query, core::seconds when = 0s) {
    return json::parse(
        caller.call("POST", phone_number_path, query, R"({"code":"sandbox-ok-1"})", when).body);
  };
  CHECK(answer("").at("errcode").as_int64() == 41001);
  CHECK(answer("access_token=").at("errcode").as_int64() == 41001);
  CHECK(answer("access_token=nonsense").at("errcode").as_int64() == 40001);
  CHECK(errmsg_of(answer("access_token=nonsense"))
            .starts_with("invalid credential, access_token is invalid or not latest"));
  std::string const token = caller.token();
  CHECK(answer("access_token=" + token, 7200s).at("errcode").as_int64() == 42001);
  caller.state.kill_tokens(40014);
  CHECK(answer("access_token=" + token).at("errcode").as_int64() == 40014);

  CHECK(caller.state.journal().counts_of(digest_of("sandbox-ok-1")).calls == 6);
  CHECK(caller.state.journal().total_numbers() == 0);
  CHECK(caller.errcode("sandbox-ok-1") == 0);
}

TEST_CASE("the watermark carries the appid whose token was used") {
  Caller caller;
  json::value const token =
      caller.stable(R"({"grant_type":"client_credential","appid":"touristappid","secret":"x"})");
  WechatAnswer const answer =
      caller.exchange_with(std::string(token.at("access_token").as_string()), "sandbox-ok-1");
  CHECK(json::parse(answer.body).at("phone_info").at("watermark").at("appid").as_string() == "touristappid");
}

TEST_CASE("what is no exchange gets WeChat's refusal") {
  Caller caller;
  std::string const query = "access_token=" + caller.token();
  auto const errcode = [&](std::string_view method, std::string_view body) {
    return json::parse(caller.call(method, phone_number_path, query, body).body).at("errcode").as_int64();
  };
  CHECK(errcode("POST", "code=sandbox-ok-1") == 47001);
  CHECK(errcode("POST", R"(["sandbox-ok-1"])") == 47001);
  CHECK(errcode("POST", "") == 44002);
  CHECK(errcode("POST", "{}") == 40029);
  CHECK(errcode("POST", R"({"code":7})") == 40029);
  CHECK(errcode("POST", R"({"code":""})") == 40029);
  CHECK(errcode("GET", "") == 43002);
}

TEST_CASE("a body without a length is 412 and empty, and nothing happens to the code") {
  Caller caller;
  std::string const query = "access_token=" + caller.token();
  for (std::string_view const path : {phone_number_path, stable_token_path}) {
    WechatAnswer const answer = caller.state.answer(
        {.method = "POST", .path = path, .query = query, .body = R"({"code":"sandbox-ok-1"})"}, at(0s));
    CHECK(answer.status == 412);
    CHECK(answer.body.empty());
    CHECK_FALSE(caller.state.journal().calls().back().has_content_length);
    CHECK(caller.state.journal().calls().back().status == 412);
  }
  CHECK(caller.errcode("sandbox-ok-1") == 0);
}

TEST_CASE("an unknown path is not WeChat's") {
  Caller caller;
  CHECK(caller.call("GET", "/wxa/nothing", "", "").status == 404);
}

TEST_CASE("stable_token and token hand out tokens that do not touch each other") {
  Caller caller;
  json::value const stable =
      caller.stable(R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s"})");
  CHECK(stable.at("expires_in").as_int64() == 7200);
  json::value const plain =
      caller.get(token_path, "grant_type=client_credential&appid=wx1111111111111111&secret=s");
  CHECK(plain.at("expires_in").as_int64() == 7200);
  CHECK(caller.token(100s) == stable.at("access_token").as_string());
  CHECK(plain.at("access_token").as_string() != stable.at("access_token").as_string());
  CHECK(caller.stable(R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s"})", 100s)
            .at("expires_in")
            .as_int64() == 7100);
}

TEST_CASE("force_refresh is obeyed only when it is true") {
  Caller caller;
  std::string const first = caller.token();
  json::value const forced = caller.stable(
      R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s","force_refresh":true})",
      60s);
  CHECK(forced.at("access_token").as_string() != first);
  CHECK(json::parse(caller.exchange_with(first, "sandbox-ok-1", 60s).body).at("errcode").as_int64() == 40001);
  CHECK(caller.token(61s) == forced.at("access_token").as_string());
}

TEST_CASE("the 21st forced refresh of a day is over the quota") {
  Caller caller;
  char const* const body =
      R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s","force_refresh":true})";
  for (int i = 0; i < 20; ++i) CHECK(caller.stable(body, i * 60s).as_object().contains("access_token"));
  CHECK(caller.stable(body, 1200s).at("errcode").as_int64() == 45009);
}

TEST_CASE("appid and secret are asked for, and checked where they are known") {
  Caller caller({.appid = "wx1111111111111111", .secret = "0123456789abcdef0123456789abcdef"});
  auto const errcode = [&](std::string const& members) {
    json::value const answer = caller.stable("{" + members + "}");
    json::value const* const code = answer.as_object().if_contains("errcode");
    if (code == nullptr) return std::int64_t{0};
    CHECK(has_rid(answer));
    return code->as_int64();
  };
  std::string const grant = R"("grant_type":"client_credential",)";
  std::string const ours = R"("appid":"wx1111111111111111",)";
  std::string const secret = R"("secret":"0123456789abcdef0123456789abcdef")";
  CHECK(errcode(grant + ours + secret) == 0);
  CHECK(errcode(grant + secret) == 41002);
  CHECK(errcode(grant + R"("appid":"wx1111111111111111")") == 41004);
  CHECK(errcode(grant + R"("appid":"wx2222222222222222",)" + secret) == 40013);
  CHECK(errcode(grant + ours + R"("secret":"short")") == 40125);
  CHECK(errcode(grant + ours + R"("secret":"ffffffffffffffffffffffffffffffff")") == 40001);
  CHECK(errcode(ours + secret) == 40002);
  CHECK(caller.stable("[]").at("errcode").as_int64() == 47001);
}

TEST_CASE("a login code becomes an openid and a session key, without an errcode") {
  Caller caller;
  json::value const answer = caller.log_in("0a1B2c");
  CHECK(answer.as_object().size() == 2);
  CHECK(std::regex_match(std::string(answer.at("openid").as_string()), std::regex("o[0-9a-f]{27}")));
  auto const key = core::crypto::from_base64(answer.at("session_key").as_string());
  REQUIRE(key);
  CHECK(key->size() == 16);

  Caller another;
  CHECK(another.log_in("0a1B2c") == answer);
  CHECK(another.log_in("another").at("openid") != answer.at("openid"));
}

TEST_CASE("dead login codes say so") {
  Caller caller;
  CHECK(caller.log_in("once").as_object().contains("openid"));
  CHECK(caller.log_in("once").at("errcode").as_int64() == 40163);
  CHECK(caller.log_in("sandbox-expired-1").at("errcode").as_int64() == 40029);
  CHECK(caller.log_in("sandbox-busy-1").at("errcode").as_int64() == -1);
  CHECK(caller.log_in("").at("errcode").as_int64() == 40029);
  json::value const no_app = caller.get(login_path, "secret=s&grant_type=authorization_code&js_code=x");
  CHECK(no_app.at("errcode").as_int64() == 41002);
  CHECK(errmsg_of(no_app).starts_with("appid missing, rid: "));
}

TEST_CASE(
    "the user's own key: the server is told the page's, the three newest of them, and the newest lives") {
  Caller caller;
  CHECK_FALSE(caller.state.latest_user_key("li--1").has_value());
  json::value const login = caller.log_in("li--1");
  std::string const openid(login.at("openid").as_string());
  std::string const session_key(login.at("session_key").as_string());
  LatestUserKey const first = caller.state.latest_user_key("li--1").value();
  json::value const told = caller.user_keys(openid, session_key);
  json::array const& keys = told.at("key_info_list").as_array();
  REQUIRE(keys.size() == 3);
  CHECK(keys[0].at("encrypt_key").as_string() == first.encrypt_key);
  CHECK(keys[0].at("version").as_int64() == first.version);
  CHECK(keys[0].at("expire_in").as_int64() == 3600);
  CHECK(keys[1].at("expire_in").as_int64() == 0);

  caller.state.rotate_user_key("li--1");
  LatestUserKey const second = caller.state.latest_user_key("li--1").value();
  CHECK(second.version == first.version + 1);
  CHECK(second.encrypt_key != first.encrypt_key);
  json::value const told_anew = caller.user_keys(openid, session_key);
  CHECK(told_anew.at("key_info_list").at(0).at("encrypt_key").as_string() == second.encrypt_key);
  CHECK(told_anew.at("key_info_list").at(1).at("encrypt_key").as_string() == first.encrypt_key);

  json::value const later = caller.log_in("li--2");
  CHECK(later.at("openid") == login.at("openid"));
  CHECK(caller.state.latest_user_key("li--2").value().version == second.version);
  CHECK(caller.user_keys(openid, session_key).at("errcode").as_int64() == 87009);
  CHECK(caller.user_keys("o-of-nobody", session_key).at("errcode").as_int64() == 40003);
}

TEST_CASE("login codes and phone codes are two kinds: one does not use the other up") {
  Caller caller;
  CHECK(caller.log_in("same").as_object().contains("openid"));
  CHECK(caller.errcode("same") == 0);
  CHECK(caller.state.journal().counts_of(digest_of("same")).calls == 1);
}

TEST_CASE("parameters of the query are decoded") {
  Caller caller;
  std::string const token = caller.token();
  std::string const escaped = "x=1&access_token=%39" + token.substr(1);
  REQUIRE(token.front() == '9');
  json::value const answer =
      json::parse(caller.call("POST", phone_number_path, escaped, R"({"code":"sandbox-ok-1"})").body);
  CHECK(answer.at("errcode").as_int64() == 0);
}

TEST_CASE("the journal tells what was asked, and nothing secret") {
  Caller caller;
  std::string const token = caller.token();
  json::value const answer = json::parse(caller.exchange_with(token, "sandbox-ok").body);
  CHECK(answer.at("errcode").as_int64() == 0);
  std::ignore = caller.exchange_with(token, "sandbox-ok");
  std::ignore = caller.exchange_with(token, "sandbox-busy-1");
  caller.state.note_refusal("POST", phone_number_path, 412, at(5s).wall);

  std::string const text = caller.state.journal().as_json("", 100);
  json::value const journal = json::parse(text);
  CHECK(journal.at("totalCalls").as_int64() == 5);
  CHECK(journal.at("totalNumbers").as_int64() == 1);
  CHECK(journal.at("callsPerCodeMax").as_int64() == 2);
  CHECK(journal.at("numbersPerCodeMax").as_int64() == 1);
  CHECK(journal.at("withoutContentLength").as_int64() == 1);
  CHECK(journal.at("callsByPath").at(phone_number_path).as_int64() == 4);
  CHECK(journal.at("callsByPath").at(stable_token_path).as_int64() == 1);
  json::array const& calls = journal.at("calls").as_array();
  REQUIRE(calls.size() == 5);
  CHECK(calls[1].at("codeDigest").as_string() == digest_of("sandbox-ok"));
  CHECK(calls[1].at("producedNumber").as_bool());
  CHECK(calls[1].at("errcode").as_int64() == 0);
  CHECK(calls[2].at("errcode").as_int64() == 40029);
  CHECK(calls[3].at("testCode").as_string() == "sandbox-busy");
  CHECK(calls[4].at("status").as_int64() == 412);
  CHECK(journal.at("codes").as_array().size() == 2);
  CHECK(text.find(token) == std::string::npos);
  CHECK(text.find("13800138000") == std::string::npos);

  json::value const of_one = json::parse(caller.state.journal().as_json(digest_of("sandbox-busy-1"), 100));
  CHECK(of_one.at("calls").as_array().size() == 1);
  CHECK(of_one.at("codes").as_array().at(0).at("calls").as_int64() == 1);
  CHECK(json::parse(caller.state.journal().as_json("", 2)).at("calls").as_array().size() == 2);
}

TEST_CASE("the journal keeps the last calls, and counts all") {
  Caller caller;
  for (int i = 0; i < 10'001; ++i) std::ignore = caller.call("GET", "/x", "", "");
  CHECK(caller.state.journal().calls().size() == 10'000);
  CHECK(caller.state.journal().total_calls() == 10'001);
}

TEST_CASE("a reset forgets codes, tokens and journal") {
  Caller caller;
  std::string const token = caller.token();
  CHECK(caller.errcode("sandbox-ok") == 0);
  caller.state.reset();
  CHECK(caller.state.journal().total_calls() == 0);
  CHECK(json::parse(caller.exchange_with(token, "sandbox-ok").body).at("errcode").as_int64() == 40001);
  CHECK(caller.errcode("sandbox-ok") == 0);
}

TEST_CASE("what is broken before anybody looks at the code leaves it good, what is broken later uses it up") {
  Caller caller;
  struct Line {
    std::string_view code;
    bool uses_up;
  };
  constexpr std::array lines{Line{"sandbox-unread", false},       Line{"sandbox-redirect", false},
                             Line{"sandbox-http502", false},      Line{"sandbox-empty", false},
                             Line{"sandbox-nan", false},          Line{"sandbox-deep", false},
                             Line{"sandbox-torn", true},          Line{"sandbox-cut", true},
                             Line{"sandbox-half-json", true},     Line{"sandbox-drip", true},
                             Line{"sandbox-huge", true},          Line{"sandbox-length-short", true},
                             Line{"sandbox-length-long", true},   Line{"sandbox-length-twice", true},
                             Line{"sandbox-bad-chunk", true},     Line{"sandbox-gzip", true},
                             Line{"sandbox-errcode-text", true},  Line{"sandbox-tls-alert", true},
                             Line{"sandbox-errcode-twice", true}, Line{"sandbox-no-goodbye", true}};
  for (Line const& line : lines) {
    CAPTURE(line.code);
    std::ignore = caller.exchange(std::string(line.code));
    CodeCounts const counts = caller.state.journal().counts_of(digest_of(line.code));
    CHECK(counts.numbers == (line.uses_up ? 1 : 0));
    WechatAnswer const again = caller.exchange(std::string(line.code));
    bool const is_refused = again.body.find("40029") != std::string::npos && again.manner == Manner::at_once;
    CHECK(is_refused == line.uses_up);
  }
}

TEST_CASE("-1, and the code is used up all the same") {
  Caller caller;
  CHECK(caller.errcode("sandbox-spent-1") == -1);
  CHECK(caller.errcode("sandbox-spent-1") == 40029);
}

TEST_CASE("spoilt JSON: half of it, compressed, with errcode as a string, or twice, or NaN, or very deep") {
  Caller caller;
  auto const is_json = [](std::string const& body) {
    boost::system::error_code failure;
    std::ignore = json::parse(body, failure);
    return !failure;
  };
  CHECK_FALSE(is_json(caller.exchange("sandbox-half-json").body));
  CHECK(caller.number("sandbox-errcode-text").at("errcode").as_string() == "0");
  CHECK(caller.exchange("sandbox-errcode-twice").body.starts_with(R"({"errcode":40029,"errcode":0,)"));
  CHECK_FALSE(is_json(caller.exchange("sandbox-nan").body));
  CHECK(std::ranges::count(caller.exchange("sandbox-deep").body, '[') == 10'000);
  WechatAnswer const zipped = caller.exchange("sandbox-gzip");
  CHECK(zipped.body.starts_with("\x1f\x8b\x08"));
  REQUIRE(zipped.headers.size() == 1);
  CHECK(zipped.headers[0] == std::pair<std::string, std::string>("Content-Encoding", "gzip"));
  WechatAnswer const moved = caller.exchange("sandbox-redirect");
  CHECK(moved.status == 302);
  CHECK(moved.headers[0].first == "Location");
}

TEST_CASE("so many codes, whatever they are, fare as the one that was named") {
  Caller caller;
  caller.state.treat_next_as(*find_test_code("sandbox-minute-limit"), 2);
  CHECK(caller.errcode("sandbox-ok-1") == 45011);
  CHECK(caller.errcode("sandbox-expired-1") == 45011);
  CHECK(caller.state.journal().calls().back().test_code == "sandbox-minute-limit");
  CHECK(caller.errcode("sandbox-ok-1") == 0);
  caller.state.treat_next_as(*find_test_code("sandbox-minute-limit"), 2);
  caller.state.reset();
  CHECK(caller.errcode("sandbox-ok-2") == 0);
}

TEST_CASE("a dead token can be given again and again, until it is killed for good") {
  Caller caller;
  std::string const token = caller.token();
  caller.state.kill_tokens(40001, true);
  CHECK(caller.token() == token);
  CHECK(caller.errcode("sandbox-ok") == 40001);
  caller.state.kill_tokens(40001);
  CHECK(caller.token() != token);
  CHECK(caller.errcode("sandbox-ok") == 0);
}

TEST_CASE("a code is charged when it is issued, and one from elsewhere when it is exchanged, once") {
  Caller caller;
  std::string const of = "access_token=" + caller.token() + "&offset=0&limit=20&spuId=";
  json::value const usage = caller.get(charge_usage_path, of + "10000077");
  CHECK(usage.at("errcode").as_int64() == 0);
  CHECK(usage.at("detailList").at(0).at("used").as_string() == "0");
  auto const used = [&](std::string const& spu_id) {
    return caller.get(charge_usage_path, of + spu_id).at("detailList").at(0).at("used").as_string();
  };
  std::string const issued = caller.state.issue_code(nullptr, at(0s));
  CHECK(used("10000077") == "1");
  CHECK(caller.errcode(issued) == 0);
  CHECK(used("10000077") == "1");
  CHECK(caller.errcode("sandbox-ok") == 0);
  CHECK(caller.errcode("sandbox-ok") == 40029);
  CHECK(used("10000077") == "2");
  std::ignore = caller.state.issue_code(nullptr, at(0s), onetap::core::Kind::realtime);
  CHECK(used("10000077") == "2");
  CHECK(used("10000086") == "1");
  CHECK(caller.get(charge_usage_path, of + "10000086").at("detailList").as_array().size() == 1);
  CHECK(caller.get(charge_usage_path, of + "10000057").at("errcode").as_int64() == 10120700);
  CHECK(caller.get(charge_usage_path, "access_token=x&spuId=10000077").at("errcode").as_int64() == 40001);
}

TEST_CASE("everybody who asks for a token can be refused: an address that is on no white list") {
  Caller caller({.token_errcode = 40164});
  json::value const refused = caller.stable(
      R"({"grant_type":"client_credential","appid":"wx1111111111111111","secret":"s","force_refresh":false})");
  CHECK(refused.at("errcode").as_int64() == 40164);
  CHECK(errmsg_of(refused).starts_with("invalid ip 203.0.113.7"));
}
