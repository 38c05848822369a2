#include "core/gate/login_answer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/crypto/digest.hpp"

namespace onetap::core {
namespace {

WeChatReply says(std::string body, int http_status = 200) {
  return {.delivery = Delivery::answered, .http_status = http_status, .body = std::move(body)};
}

WeChatReply refuses(int errcode, std::string const& errmsg = "refused, rid: 65a33cd8-1b2c3d4e-0f0f0f0f") {
  return says(R"({"errcode":)" + std::to_string(errcode) + R"(,"errmsg":")" + errmsg + R"("})");
}

LoginFailure failure_of(WeChatReply const& reply) {
  auto const judged = judge_login_answer(reply);
  REQUIRE_FALSE(judged.has_value());
  return judged.error();
}

Retry retry_of(Problem const& problem) { return problem.retry.value_or(kind_of(problem.code).retry); }

std::string const good_login =
    R"({"openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","session_key":"tiihtNczf5v6AKRyjwEUhQ==","unionid":"u"})";

TEST_CASE("a login names the user and brings its session_key, with or without an errcode of 0") {
  for (
      std::string const& body :
      {good_login,
       std::string(
           R"({"errcode":0,"errmsg":"ok","openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})")}) {
    auto const judged = judge_login_answer(says(body));
    REQUIRE(judged.has_value());
    CHECK(judged->openid.reveal() == "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    CHECK(judged->session_key.reveal() == "tiihtNczf5v6AKRyjwEUhQ==");
  }
}

TEST_CASE("each errcode of jscode2session becomes what the contract says") {
  struct Row {
    int errcode;
    ProblemCode code;
    Retry retry;
    std::optional<seconds> retry_after;
  };
  std::optional<seconds> const none;
  for (Row const& row : {
           Row{40029, ProblemCode::code_invalid, Retry::login, none},
           Row{40163, ProblemCode::code_invalid, Retry::login, none},
           Row{40226, ProblemCode::user_blocked, Retry::never, none},
           Row{45011, ProblemCode::wechat_unavailable, Retry::login, seconds(60)},
           Row{-1, ProblemCode::wechat_unavailable, Retry::login, seconds(2)},
           Row{45009, ProblemCode::wechat_unavailable, Retry::login, seconds(60)},
           Row{40001, ProblemCode::wechat_unavailable, Retry::login, seconds(2)},
           Row{1400001, ProblemCode::wechat_unavailable, Retry::login, seconds(2)},
           Row{99999, ProblemCode::wechat_unavailable, Retry::login, seconds(2)},
           Row{-99999, ProblemCode::wechat_unavailable, Retry::login, seconds(2)},
           Row{40125, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
           Row{40164, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
           Row{40013, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
           Row{40243, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
           Row{41002, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
           Row{50007, ProblemCode::service_misconfigured, Retry::later, seconds(2)},
       }) {
    CAPTURE(row.errcode);
    LoginFailure const failure = failure_of(refuses(row.errcode));
    CHECK(failure.problem.code == row.code);
    CHECK(retry_of(failure.problem) == row.retry);
    CHECK(failure.problem.retry_after == row.retry_after);
    CHECK(failure.problem.errcode == row.errcode);
    CHECK(failure.problem.rid == "65a33cd8-1b2c3d4e-0f0f0f0f");
    CHECK(failure.problem.charged == Charged::absent);
    CHECK_FALSE(failure.hint.empty());
  }
}

TEST_CASE("an errcode counts before whatever else stands in the answer") {
  std::string const body =
      R"({"errcode":40029,"openid":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})";
  CHECK(failure_of(says(body)).problem.code == ProblemCode::code_invalid);
}

TEST_CASE("an answer that is none opens nothing, and a new login may work") {
  std::vector<WeChatReply> const replies{
      says(""),
      says("<html>bad gateway</html>", 502),
      says("null"),
      says("[]"),
      says("{}"),
      says("{\"openid\":\"o\""),
      says(R"({"openid":"o"})"),
      says(R"({"session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":"","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":null,"session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":12345,"session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":["o"],"session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":")" + std::string(129, 'o') + R"(","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":"o o","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":"o\u0000","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":"\u5f20","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      says(R"({"openid":"o","session_key":""})"),
      says(R"({"openid":"o","session_key":"not base64"})"),
      says(R"({"openid":"o","session_key":"tiihtNczf5v6AKRyjwEUhQ"})"),
      says(R"({"openid":"o","session_key":"tiihtNczf5v6AKRyjwEU"})"),
      says(R"({"openid":"o","session_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})"),
      says(R"({"openid":"o","session_key":7})"),
      says(R"({"errcode":99999999999999})"),
      says(R"({"errcode":40029,"errcode":0,"openid":"o","session_key":"tiihtNczf5v6AKRyjwEUhQ=="})"),
      {.delivery = Delivery::not_sent, .failure = TransportFailure::connect},
      {.delivery = Delivery::not_sent, .failure = TransportFailure::tls, .failure_detail = "expired"},
      {.delivery = Delivery::maybe_sent, .failure = TransportFailure::timeout},
      {.delivery = Delivery::maybe_sent, .failure = TransportFailure::malformed, .body = good_login},
  };
  for (WeChatReply const& reply : replies) {
    CAPTURE(reply.body);
    LoginFailure const failure = failure_of(reply);
    CHECK(failure.problem.code == ProblemCode::wechat_unavailable);
    CHECK(retry_of(failure.problem) == Retry::login);
    CHECK(failure.problem.retry_after == seconds(2));
    CHECK_FALSE(failure.problem.errcode.has_value());
    CHECK_FALSE(failure.hint.empty());
  }
}

TEST_CASE("the operator hears why a connection failed") {
  CHECK(failure_of({.delivery = Delivery::not_sent,
                    .failure = TransportFailure::tls,
                    .failure_detail = "certificate has expired"})
            .hint == "TLS failed: certificate has expired");
}

std::string const key_list = R"({"errcode":0,"errmsg":"ok","key_info_list":[
   {"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":3597,"iv":"6003f73ec441c386","create_time":1616572301},
   {"encrypt_key":"aoUGAHltcliiL9f23oTKHA==","version":9,"expire_in":0,"iv":"7996656384218dbb","create_time":1616504886},
   {"encrypt_key":"MlZNQNnRQz3zXHHcr6A3mA==","version":8,"expire_in":60,"iv":"58a1814f88883024","create_time":1616488061}]})";

std::string with_keys(std::string const& keys) { return R"({"errcode":0,"key_info_list":[)" + keys + "]}"; }

std::vector<UserKey> keys_of(std::string const& body) {
  auto judged = judge_user_keys_answer(says(body));
  REQUIRE(judged.has_value());
  return *std::move(judged);
}

TEST_CASE("of a user's keys those are taken that are still good, as 16 bytes each") {
  std::vector<UserKey> const keys = keys_of(key_list);
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].version == 10);
  CHECK(keys[0].key.reveal() == crypto::from_base64("VI6BpyrK9XH4i4AIGe86tg==").value());
  CHECK(keys[0].expires_in == seconds(3597));
  CHECK(keys[1].version == 8);
  CHECK(keys[1].expires_in == seconds(60));
}

TEST_CASE("a key that is none is passed over") {
  std::string const good = R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":10,"expire_in":3597})";
  for (char const* const bad :
       {R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86","version":9,"expire_in":3597})",
        R"({"encrypt_key":"","version":9,"expire_in":3597})", R"({"version":9,"expire_in":3597})",
        R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","expire_in":3597})",
        R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":"x","expire_in":3597})",
        R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":9})",
        R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","version":9,"expire_in":-1})", "{}"}) {
    CAPTURE(bad);
    std::vector<UserKey> const keys = keys_of(with_keys(bad + ("," + good)));
    REQUIRE(keys.size() == 1);
    CHECK(keys.front().version == 10);
  }
  CHECK(keys_of(with_keys("")).empty());
  CHECK(keys_of(with_keys("7," + good)).empty());
}

TEST_CASE("no more keys are held than WeChat promises, and none for longer than an hour") {
  std::string many;
  for (int version = 1; version <= 1000; ++version) {
    many.append(version == 1 ? "" : ",")
        .append(R"({"encrypt_key":"VI6BpyrK9XH4i4AIGe86tg==","expire_in":9223372036854775807,"version":)")
        .append(std::to_string(version))
        .append("}");
  }
  std::vector<UserKey> const keys = keys_of(with_keys(many));
  CHECK(keys.size() == 3);
  for (UserKey const& key : keys) CHECK(key.expires_in == std::chrono::hours(1));
}

TEST_CASE("without keys it is told who is to blame, and what the operator should know") {
  struct Row {
    WeChatReply reply;
    UserKeysFailure::Why why;
    std::optional<int> errcode;
    std::string_view hint;
  };
  using enum UserKeysFailure::Why;
  std::optional<int> const none;
  for (Row const& row : {
           Row{says(R"({"errcode":87009,"errmsg":"invalid signature rid: x","key_info_list":[]})"),
               log_in_again, 87009, "session_key is not the latest: the page logs in again"},
           Row{refuses(40001), token_refused, 40001, "access_token is invalid or not the latest"},
           Row{refuses(40014), token_refused, 40014, "access_token is malformed"},
           Row{refuses(42001), token_refused, 42001, "access_token has expired"},
           Row{refuses(40003), not_to_be_had, 40003, "errcode 40003"},
           Row{refuses(87008), not_to_be_had, 87008, "errcode 87008"},
           Row{refuses(45011), rate_limited, 45011, "calls per minute limit reached"},
           Row{refuses(45009), rate_limited, 45009,
               "daily call limit reached; openapi/quota/get tells which"},
           Row{refuses(40164), misconfigured, 40164, "this server's address is not on the IP white list"},
           Row{refuses(50007), misconfigured, 50007, "the account is frozen"},
           Row{refuses(-1), not_to_be_had, -1, "WeChat was busy; the code may be spent"},
           Row{says(R"({"errcode":99999999999999})"), not_to_be_had, none, "errcode out of range"},
           Row{says(""), not_to_be_had, none, "not JSON, HTTP status 200"},
           Row{says("<html>", 502), not_to_be_had, none, "not JSON, HTTP status 502"},
           Row{says("{}"), not_to_be_had, none, "no key_info_list in the answer"},
           Row{says(R"({"key_info_list":{}})"), not_to_be_had, none, "no key_info_list in the answer"},
           Row{says(R"({"key_info_list":null})"), not_to_be_had, none, "no key_info_list in the answer"},
           Row{{.delivery = Delivery::maybe_sent, .failure = TransportFailure::timeout, .body = key_list},
               not_to_be_had,
               none,
               "no answer in time"},
       }) {
    CAPTURE(row.reply.body);
    auto const judged = judge_user_keys_answer(row.reply);
    REQUIRE_FALSE(judged.has_value());
    CHECK(judged.error().why == row.why);
    CHECK(judged.error().errcode == row.errcode);
    CHECK(judged.error().hint == row.hint);
  }
  CHECK(judge_user_keys_answer(refuses(40164)).error().rid == "65a33cd8-1b2c3d4e-0f0f0f0f");
}

}  // namespace
}  // namespace onetap::core
