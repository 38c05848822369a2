#include "core/exchange/answer.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "core/limits.hpp"

using namespace onetap::core;

namespace {

constexpr std::string_view appid = "wx0123456789abcdef";
constexpr std::int64_t now_s = 1'790'000'000;
WallTime const now = wall_time_of_unix_ms(now_s * 1000);
constexpr std::string_view rid = "6458a111-5785bc4d-452368fb";

WeChatReply says(std::string body, int http_status = 200) {
  return {.delivery = Delivery::answered, .http_status = http_status, .body = std::move(body)};
}

WeChatReply fails(Delivery delivery, TransportFailure failure) {
  return {.delivery = delivery, .failure = failure, .failure_detail = "because"};
}

Answer judge(std::string body, int http_status = 200) {
  return judge_phone_answer(says(std::move(body), http_status), appid, now);
}

std::string errcode_body(std::string const& errcode) {
  return R"({"errcode":)" + errcode + R"(,"errmsg":"some words rid: )" + std::string(rid) + R"("})";
}

struct Info {
  std::string country = R"("86")";
  std::string number = R"("13800138000")";
  std::string pure = R"("13800138000")";
  std::string timestamp = std::to_string(now_s);
  std::string watermark_appid = std::string(appid);
};

std::string success_body(Info const& info) {
  return R"({"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":)" + info.number +
         R"(,"purePhoneNumber":)" + info.pure + R"(,"countryCode":)" + info.country +
         R"(,"watermark":{"timestamp":)" + info.timestamp + R"(,"appid":")" + info.watermark_appid +
         R"("}}})";
}

Answer judge_info(Info const& info) { return judge(success_body(info)); }

void check_doubt(Answer const& answer, Cause cause) {
  CHECK(answer.verdict == Verdict::doubt);
  CHECK(answer.cause == cause);
  CHECK_FALSE(answer.number.has_value());
  CHECK_FALSE(answer.hint.empty());
}

}  // namespace

TEST_CASE("every errcode of WeChat's table means what the contract says") {
  struct Row {
    int errcode;
    Verdict verdict;
    Cause cause;
  };
  std::vector<Row> const table{
      {-1, Verdict::doubt, Cause::system_error},
      {40001, Verdict::token_refused, Cause::token_refused},
      {40014, Verdict::token_refused, Cause::token_refused},
      {42001, Verdict::token_refused, Cause::token_refused},
      {40029, Verdict::code_invalid, Cause::none},
      {40163, Verdict::code_invalid, Cause::none},
      {45009, Verdict::rate_limited, Cause::rate_limited},
      {45011, Verdict::rate_limited, Cause::rate_limited},
      {40013, Verdict::misconfigured, Cause::misconfigured},
      {40125, Verdict::misconfigured, Cause::misconfigured},
      {40164, Verdict::misconfigured, Cause::misconfigured},
      {40243, Verdict::misconfigured, Cause::misconfigured},
      {41002, Verdict::misconfigured, Cause::misconfigured},
      {48001, Verdict::misconfigured, Cause::misconfigured},
      {50004, Verdict::misconfigured, Cause::misconfigured},
      {50007, Verdict::misconfigured, Cause::misconfigured},
      {89501, Verdict::misconfigured, Cause::misconfigured},
      {89503, Verdict::misconfigured, Cause::misconfigured},
      {89506, Verdict::misconfigured, Cause::misconfigured},
      {89507, Verdict::misconfigured, Cause::misconfigured},
      {1400001, Verdict::no_quota, Cause::no_quota},
  };
  for (Row const& row : table) {
    CAPTURE(row.errcode);
    Answer const answer = judge(errcode_body(std::to_string(row.errcode)));
    CHECK(answer.verdict == row.verdict);
    CHECK(answer.cause == row.cause);
    CHECK(answer.errcode == row.errcode);
    CHECK(answer.rid == rid);
    CHECK_FALSE(answer.hint.empty());
  }
  CHECK(errcode_rules().size() == table.size());  // no row without a test
}

TEST_CASE("an errcode that is not listed is doubt") {
  for (int const errcode : {1, -2, 40003, 40097, 41001, 43002, 44002, 47001, 61004, 2147483647}) {
    CAPTURE(errcode);
    Answer const answer = judge(errcode_body(std::to_string(errcode)));
    check_doubt(answer, Cause::unknown_errcode);
    CHECK(answer.errcode == errcode);
    CHECK(answer.rid == rid);
  }
}

TEST_CASE("a number of ours is handed out") {
  Answer const answer = judge_info({});
  CHECK(answer.verdict == Verdict::number);
  CHECK(answer.cause == Cause::none);
  CHECK(answer.errcode == 0);
  REQUIRE(answer.number.has_value());
  CHECK(answer.number->phone_number.reveal() == "13800138000");
  CHECK(answer.number->pure_phone_number.reveal() == "13800138000");
  CHECK(answer.number->country_code == "86");
}

TEST_CASE("the country code comes as text, as a number or with a plus, and leaves as digits") {
  for (char const* const country : {R"("86")", "86", R"("+86")"}) {
    CAPTURE(country);
    Answer const answer = judge_info({.country = country});
    REQUIRE(answer.number.has_value());
    CHECK(answer.number->country_code == "86");
  }
}

TEST_CASE("a number from abroad keeps its prefix in phoneNumber") {
  Answer const answer =
      judge_info({.country = "852", .number = R"("+85251234567")", .pure = R"("51234567")"});
  REQUIRE(answer.number.has_value());
  CHECK(answer.number->phone_number.reveal() == "+85251234567");
  CHECK(answer.number->pure_phone_number.reveal() == "51234567");
  CHECK(answer.number->country_code == "852");
}

TEST_CASE("members that WeChat adds are ignored") {
  std::string body = success_body({});
  body.insert(1, R"("new":{"deep":[1,2,{"a":null}]},"phone_info_2":{},)");
  body.insert(body.find("\"phoneNumber\""), R"("carrier":null,)");
  CHECK(judge(body).verdict == Verdict::number);
}

TEST_CASE("success without a usable number is doubt") {
  check_doubt(judge(R"({"errcode":0,"errmsg":"ok"})"), Cause::malformed_answer);
  check_doubt(judge(R"({"errcode":0,"errmsg":"ok","phone_info":null})"), Cause::malformed_answer);
  check_doubt(judge(R"({"errcode":0,"errmsg":"ok","phone_info":"13800138000"})"), Cause::malformed_answer);
  check_doubt(judge_info({.number = R"("")"}), Cause::malformed_answer);
  check_doubt(judge_info({.number = "null"}), Cause::malformed_answer);
  check_doubt(judge_info({.pure = R"("")"}), Cause::malformed_answer);
  check_doubt(judge_info({.pure = R"("138****8000")"}), Cause::malformed_answer);
  check_doubt(judge_info({.pure = "[1]"}), Cause::malformed_answer);
  check_doubt(judge_info({.country = R"("")"}), Cause::malformed_answer);
  check_doubt(judge_info({.country = R"("++86")"}), Cause::malformed_answer);
  check_doubt(judge_info({.country = R"("CN")"}), Cause::malformed_answer);
  check_doubt(judge_info({.number = '"' + std::string(33, '1') + '"'}), Cause::malformed_answer);
}

TEST_CASE("a number of another appid is never handed out") {
  check_doubt(judge_info({.watermark_appid = "wxffffffffffffffff"}), Cause::watermark);
  check_doubt(judge_info({.watermark_appid = ""}), Cause::watermark);
}

TEST_CASE("a number without a watermark is never handed out") {
  check_doubt(
      judge(R"({"errcode":0,"phone_info":{"phoneNumber":"1","purePhoneNumber":"1","countryCode":"86"}})"),
      Cause::watermark);
}

TEST_CASE("a watermark counts up to ten minutes on either side, to the second") {
  constexpr std::int64_t age_s_max = seconds(limits::watermark_age_max).count();
  REQUIRE(age_s_max == 600);
  for (std::int64_t const off_s : {age_s_max, -age_s_max, std::int64_t{0}}) {
    CAPTURE(off_s);
    CHECK(judge_info({.timestamp = std::to_string(now_s + off_s)}).verdict == Verdict::number);
  }
  for (std::int64_t const off_s : {age_s_max + 1, -age_s_max - 1}) {
    CAPTURE(off_s);
    check_doubt(judge_info({.timestamp = std::to_string(now_s + off_s)}), Cause::watermark);
  }
  CHECK(judge_info({.timestamp = '"' + std::to_string(now_s) + '"'}).verdict == Verdict::number);
}

TEST_CASE("a watermark's time at the ends of what a number can be is doubt") {
  for (char const* const timestamp :
       {"0", "-1", "-9223372036854775808", "9223372036854775807", "1e300", "null", "true"}) {
    CAPTURE(timestamp);
    check_doubt(judge_info({.timestamp = timestamp}), Cause::watermark);
  }
}

TEST_CASE("decrypted user data is a number where it is ours and fresh, and nothing otherwise") {
  auto const read = [](Info const& info) {
    return read_user_data(R"({"phoneNumber":)" + info.number + R"(,"purePhoneNumber":)" + info.pure +
                              R"(,"countryCode":)" + info.country + R"(,"watermark":{"timestamp":)" +
                              info.timestamp + R"(,"appid":")" + info.watermark_appid + R"("}})",
                          appid, now);
  };
  auto const number = read({});
  REQUIRE(number.has_value());
  CHECK(number->phone_number.reveal() == "13800138000");
  CHECK(number->pure_phone_number.reveal() == "13800138000");
  CHECK(number->country_code == "86");
  CHECK(read({.timestamp = std::to_string(now_s - 600)}).has_value());
  CHECK(read({.timestamp = std::to_string(now_s + 600)}).has_value());
  CHECK_FALSE(read({.timestamp = std::to_string(now_s - 601)}).has_value());
  CHECK_FALSE(read({.timestamp = std::to_string(now_s + 601)}).has_value());
  CHECK_FALSE(read({.watermark_appid = "wxffffffffffffffff"}).has_value());
  CHECK_FALSE(read({.number = R"("")"}).has_value());
  CHECK_FALSE(read({.pure = R"("1380013800x")"}).has_value());
}

TEST_CASE("user data that is no phone number's is nothing") {
  for (std::string const& text :
       {std::string(), std::string("{}"), std::string("[]"), std::string("garbage"),
        std::string(
            R"({"openId":"o6zAJs","watermark":{"timestamp":1790000000,"appid":"wx0123456789abcdef"}})"),
        success_body({})}) {
    CAPTURE(text);
    CHECK_FALSE(read_user_data(text, appid, now).has_value());
  }
}

TEST_CASE("an errcode may come as text") {
  CHECK(judge(errcode_body(R"("40029")")).verdict == Verdict::code_invalid);
  CHECK(judge(errcode_body(R"("0")")).verdict == Verdict::doubt);  // success without phone_info
}

TEST_CASE("an errcode that decides nothing is doubt") {
  for (char const* const errcode : {"2147483648", "-2147483648", "18446744073709551616", "1e300", "40029.5",
                                    "null", "true", R"("")", R"("40029 ")", R"("4e4")", "[]", "{}"}) {
    CAPTURE(errcode);
    Answer const answer = judge(errcode_body(errcode));
    check_doubt(answer, Cause::malformed_answer);
    CHECK_FALSE(answer.errcode.has_value());
  }
  check_doubt(judge(R"({"errcode":40029,"errcode":0,"errmsg":"ok"})"), Cause::malformed_answer);
  check_doubt(judge(errcode_body("NaN")), Cause::malformed_answer);
  check_doubt(judge(R"({"errmsg":"ok"})"), Cause::malformed_answer);
}

TEST_CASE("the errcode decides, not the HTTP status") {
  CHECK(judge(errcode_body("40029"), 500).verdict == Verdict::code_invalid);
  CHECK(judge(success_body({}), 502).verdict == Verdict::number);
}

TEST_CASE("an HTTP error without an errcode is doubt") {
  for (std::string const body :
       {"<html><body>502 Bad Gateway</body></html>", "", "{}", R"({"errmsg":"x"})"}) {
    for (int const status : {500, 502, 412, 404, 301, 204}) {
      CAPTURE(body);
      CAPTURE(status);
      Answer const answer = judge(body, status);
      check_doubt(answer, Cause::http_error);
      CHECK(answer.hint.find(std::to_string(status)) != std::string::npos);
    }
  }
}

TEST_CASE("what is not one JSON object is doubt") {
  std::string const bomb = std::string(100'000, '[');
  std::string const object_bomb = [] {
    std::string deep = R"({"errcode":0,"a":)";
    for (int i = 0; i < 10'000; ++i) deep += R"({"a":)";
    return deep;
  }();
  for (std::string const& body :
       {std::string(), std::string("ok"), std::string("[]"), std::string("40029"), std::string("null"),
        std::string(R"({"errcode":0)"), std::string(R"({"errcode":40029} {})"), bomb, object_bomb}) {
    CAPTURE(body.substr(0, 40));
    check_doubt(judge(body), Cause::malformed_answer);
  }
}

TEST_CASE("a request of which no byte left leaves the code good, whatever failed") {
  for (TransportFailure const failure :
       {TransportFailure::resolve, TransportFailure::connect, TransportFailure::tls,
        TransportFailure::timeout, TransportFailure::connection_lost}) {
    CAPTURE(to_string(failure));
    Answer const answer = judge_phone_answer(fails(Delivery::not_sent, failure), appid, now);
    CHECK(answer.verdict == Verdict::not_sent);
    CHECK(answer.cause == Cause::not_sent);
    CHECK_FALSE(answer.errcode.has_value());
    CHECK(answer.hint == std::string(to_string(failure)) + ": because");
  }
}

TEST_CASE("a request that may have left and has no answer is doubt, whatever failed") {
  struct Row {
    TransportFailure failure;
    Cause cause;
  };
  for (Row const& row : {Row{TransportFailure::timeout, Cause::timeout},
                         Row{TransportFailure::connection_lost, Cause::connection_lost},
                         Row{TransportFailure::malformed, Cause::malformed_answer},
                         Row{TransportFailure::too_large, Cause::malformed_answer},
                         Row{TransportFailure::tls, Cause::connection_lost},
                         Row{TransportFailure::resolve, Cause::connection_lost},
                         Row{TransportFailure::connect, Cause::connection_lost},
                         Row{TransportFailure::none, Cause::connection_lost}}) {
    CAPTURE(to_string(row.failure));
    Answer const answer = judge_phone_answer(fails(Delivery::maybe_sent, row.failure), appid, now);
    CHECK(answer.verdict == Verdict::doubt);
    CHECK(answer.cause == row.cause);
    CHECK_FALSE(answer.errcode.has_value());
  }
}

TEST_CASE("a lost answer is not read even when bytes of it came") {
  WeChatReply reply = fails(Delivery::maybe_sent, TransportFailure::timeout);
  reply.body = success_body({});
  check_doubt(judge_phone_answer(reply, appid, now), Cause::timeout);
}

TEST_CASE("the rid is taken from the end of errmsg, where it has its form") {
  CHECK(rid_of("invalid code hint: [ghDcTVNre-Rkz3Da] rid: 6458a111-5785bc4d-452368fb") == rid);
  CHECK(rid_of("api unauthorized rid: 00000000-00000000-00000000 rid: 6458a111-5785bc4d-452368fb") == rid);
  CHECK(rid_of("invalid appsecret, rid: 6458a111-5785bc4d-452368fb").size() == 26);
  CHECK(rid_of("").empty());
  CHECK(rid_of("ok").empty());
  CHECK(rid_of("rid: ").empty());
  CHECK(rid_of("rid: 628843e5-").empty());
  CHECK(rid_of("rid: 6458a111-5785bc4d-452368f\"").empty());
  CHECK(rid_of("rid: <script>alert(1)</script>").empty());
}

TEST_CASE("the address that WeChat does not know is named for the operator") {
  Answer const answer = judge(
      R"({"errcode":40164,"errmsg":"invalid ip 47.102.104.75 ipv6 ::ffff:47.102.104.75, not in whitelist rid: 62831769-71ffe766-3e1d7c49"})");
  CHECK(answer.verdict == Verdict::misconfigured);
  CHECK(answer.hint.find("(47.102.104.75)") != std::string::npos);
  Answer const forged = judge(R"({"errcode":40164,"errmsg":"invalid ip <b>1</b>, not in whitelist"})");
  CHECK(forged.hint.find('<') == std::string::npos);
}

TEST_CASE("of a refused token the address stands by itself, too, and errcodes can be had alone") {
  WeChatReply const refused = says(
      R"({"errcode":40164,"errmsg":"invalid ip 47.102.104.75 ipv6 ::ffff:47.102.104.75, not in whitelist"})");
  CHECK(judge_token_answer(refused).rejected_address == "47.102.104.75");
  CHECK(judge_token_answer(says(errcode_body("40125"))).rejected_address.empty());
  CHECK(errcode_of(refused) == 40164);
  CHECK_FALSE(errcode_of(says("{}")).has_value());
  CHECK_FALSE(errcode_of(says("<html>")).has_value());
}

TEST_CASE("a token comes with its lifetime, which may be short or text") {
  struct Row {
    char const* expires_in;
    std::int64_t lifetime_s;
  };
  for (Row const& row :
       {Row{"7200", 7200}, Row{"300", 300}, Row{R"("7200")", 7200}, Row{"1", 1}, Row{"86400", 86400}}) {
    CAPTURE(row.expires_in);
    TokenAnswer const answer = judge_token_answer(
        says(R"({"access_token":"68_abc","expires_in":)" + std::string(row.expires_in) + "}"));
    REQUIRE(answer.fetched.has_value());
    CHECK(answer.fetched->token.reveal() == "68_abc");
    CHECK(answer.fetched->lifetime.count() == row.lifetime_s);
    CHECK_FALSE(answer.misconfigured);
  }
}

TEST_CASE("a token whose lifetime cannot be is not used") {
  for (char const* const expires_in :
       {"0", "-1", "-7200", "86401", "1e300", "null", R"("soon")", R"("")", "7200.5"}) {
    CAPTURE(expires_in);
    TokenAnswer const answer =
        judge_token_answer(says(R"({"access_token":"68_abc","expires_in":)" + std::string(expires_in) + "}"));
    CHECK_FALSE(answer.fetched.has_value());
    CHECK_FALSE(answer.misconfigured);
    CHECK_FALSE(answer.hint.empty());
    CHECK(answer.hint.find("68_abc") == std::string::npos);
  }
}

TEST_CASE("what is no token answer is asked again, and names why") {
  for (std::string const& body :
       {std::string(), std::string("<html>"), std::string("[]"), std::string("{}"),
        std::string(R"({"expires_in":7200})"), std::string(R"({"access_token":"","expires_in":7200})"),
        std::string(R"({"access_token":7,"expires_in":7200})"), std::string(R"({"access_token":"68_abc"})"),
        std::string(100'000, '[')}) {
    CAPTURE(body.substr(0, 40));
    TokenAnswer const answer = judge_token_answer(says(body, 200));
    CHECK_FALSE(answer.fetched.has_value());
    CHECK_FALSE(answer.misconfigured);
    CHECK_FALSE(answer.hint.empty());
  }
  TokenAnswer const lost = judge_token_answer(fails(Delivery::maybe_sent, TransportFailure::timeout));
  CHECK_FALSE(lost.fetched.has_value());
  CHECK(lost.hint == "no answer in time: because");
}

TEST_CASE("an errcode of the token endpoint says whether the operator must act") {
  struct Row {
    int errcode;
    bool misconfigured;
  };
  for (Row const& row :
       {Row{-1, false}, Row{40001, true}, Row{40002, false}, Row{40013, true}, Row{40125, true},
        Row{40164, true}, Row{40243, true}, Row{41002, true}, Row{45009, false}, Row{45011, false},
        Row{48001, true}, Row{50004, true}, Row{50007, true}, Row{89501, true}, Row{89503, true},
        Row{89506, true}, Row{89507, true}, Row{12345, false}}) {
    CAPTURE(row.errcode);
    TokenAnswer const answer = judge_token_answer(says(errcode_body(std::to_string(row.errcode))));
    CHECK_FALSE(answer.fetched.has_value());
    CHECK(answer.misconfigured == row.misconfigured);
    CHECK(answer.errcode == row.errcode);
    CHECK(answer.rid == rid);
    CHECK_FALSE(answer.hint.empty());
  }
}

TEST_CASE("40001 at the token endpoint speaks of the secret") {
  CHECK(judge_token_answer(says(errcode_body("40001"))).hint.find("SECRET") != std::string::npos);
  CHECK(judge_phone_answer(says(errcode_body("40001")), appid, now).hint.find("SECRET") == std::string::npos);
}
