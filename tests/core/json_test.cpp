#include "core/json.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <string>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

std::optional<JsonRefusal> refusal_of(Result<json::object, JsonRefusal> const& result) {
  if (result) return std::nullopt;
  return result.error();
}

json::object object_of(std::string_view body) {
  auto result = parse_wechat_json(body);
  REQUIRE(result.has_value());
  return *result;
}

std::string nested(std::string_view opening, std::string_view core, std::string_view closing,
                   std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += opening;
  text += core;
  for (std::size_t i = 0; i < times; ++i) text += closing;
  return text;
}

TEST_CASE("a client's body is read when it is one object") {
  for (std::string_view const body : {
           R"({})",
           R"({"code":"abc"})",
           " \t\r\n{ \"code\" : \"abc\" } \r\n",
           R"({"code":"abc","kind":"quick","unknown":[1,2,{"x":null}]})",
           R"({"code":"手机号 😀"})",
           R"({"code":"\u624b\ud83d\ude00\u0000\/\"\\\b\f\n\r\t"})",
           R"({"a":{"a":{"a":{"a":1}}}})",
           R"({"a":[[[1]]]})",
           R"({"a":{"x":1},"b":{"x":1}})",
           R"({"a":[{"x":1},{"x":1}]})",
           R"({"a":1,"A":2})",
           R"({"":1})",
           R"({"n":[0,-0,1.5,-1e-7,1E+5,1e308,1e-400,9223372036854775807,18446744073709551615,1e18]})",
           R"({"n":123456789012345678901234567890})",
           R"({"t":[true,false,null,"",{},[]]})",
       }) {
    CAPTURE(body);
    CHECK_FALSE(refusal_of(parse_client_json(body)).has_value());
  }
}

TEST_CASE("a client's body that isn't one JSON text is malformed") {
  for (std::string_view const body : {
           "",
           " ",
           "{",
           "}",
           R"({"code")",
           R"({"code":)",
           R"({"code":"abc)",
           R"({"code":"abc")",
           R"({"code":"abc"}})",
           R"({"code":"abc"}{})",
           R"({"code":"abc"} x)",
           R"({"code":"abc",})",
           R"({,"code":"abc"})",
           R"({"code" "abc"})",
           R"({"code":"abc" "kind":"quick"})",
           R"({code:"abc"})",
           R"({'code':'abc'})",
           R"({"a":[1,]})",
           R"({"a":[1 2]})",
           R"({"a":])",
           R"({"a":[})",
           R"({"a":undefined})",
           R"({"a":NaN})",
           R"({"a":Infinity})",
           R"({"a":-Infinity})",
           R"({"a":True})",
           R"({"a":tru})",
           R"({"a":01})",
           R"({"a":+1})",
           R"({"a":.5})",
           R"({"a":1.})",
           R"({"a":1e})",
           R"({"a":-})",
           R"({"a":0x10})",
           R"({"a":1e400})",
           R"({"a":-1e400})",
           R"({"a":[{"b":1e309}]})",
           R"({"a":1e99999999999999999999})",
           R"({"a":"\x41"})",
           R"({"a":"\u12"})",
           R"({"a":"\ud800"})",
           R"({"a":"\ude00\ud83d"})",
           R"({"a":"\ud83d\u0041"})",
           R"({1:2})",
           R"({null:2})",
           R"({"a":1}/*c*/)",
           "{\"a\":1}//c",
           "{\"a\":\"line\nbreak\"}",
           "{\"a\":\"tab\t\"}",
           "{\"a\":\"\x80\"}",
           "{\"a\":\"\xC0\xAF\"}",
           "{\"a\":\"\xED\xA0\x80\"}",
           "{\"a\":\"\xF4\x90\x80\x80\"}",
           "{\"a\":\"\xE2\x82\"}",
           "{\"\xFF\":1}",
           "\xEF\xBB\xBF{}",
           "\xFF\xFE{",
           "code=abc",
           "<xml/>",
       }) {
    CAPTURE(body);
    CHECK(refusal_of(parse_client_json(body)) == JsonRefusal::malformed);
  }
  CHECK(refusal_of(parse_client_json(std::string_view("{}\0", 3))) == JsonRefusal::malformed);
  CHECK(refusal_of(parse_client_json(std::string_view("{\"a\":\"\0\"}", 9))) == JsonRefusal::malformed);
}

TEST_CASE("a client's body that is JSON but no object is told apart") {
  for (std::string_view const body : {"[]", "null", "true", "1", "\"code\"", R"([{"code":"abc"}])"}) {
    CAPTURE(body);
    CHECK(refusal_of(parse_client_json(body)) == JsonRefusal::not_an_object);
  }
}

TEST_CASE("a name that comes twice in one object is refused") {
  for (std::string_view const body : {
           R"({"code":"a","code":"b"})",
           R"({"code":"a","code":"a"})",
           R"({"code":"a","x":1,"y":2,"code":"b"})",
           R"({"code":"a","\u0063ode":"b"})",
           R"({"\u0063\u006f\u0064\u0065":"a","c\u006fde":"b"})",
           R"({"\ud83d\ude00":1,"😀":2})",
           R"({"":1,"":2})",
           R"({"a":{"x":1,"x":2}})",
           R"({"a":[{"x":1},{"y":1,"y":2}]})",
           R"({"a":{"b":{"x":1,"x":2}},"c":1})",
           R"({"a":{"x":1},"b":2,"a":3})",
           R"([{"x":1,"x":2}])",
       }) {
    CAPTURE(body);
    CHECK(refusal_of(parse_client_json(body)) == JsonRefusal::duplicate_key);
  }
}

TEST_CASE("names longer than the parser's buffer are compared to their end") {
  std::string const name = R"(\u0061)" + std::string(5000, 'x');
  CHECK(refusal_of(parse_client_json("{\"" + name + "1\":1,\"" + name + "1\":2}")) ==
        JsonRefusal::duplicate_key);
  CHECK_FALSE(refusal_of(parse_client_json("{\"" + name + "1\":1,\"" + name + "2\":2}")).has_value());
}

TEST_CASE("a client's body may be nested to the limit and no deeper") {
  std::size_t const most = limits::json_depth_max;
  CHECK_FALSE(refusal_of(parse_client_json(nested(R"({"a":)", "1", "}", most))).has_value());
  CHECK(refusal_of(parse_client_json(nested(R"({"a":)", "1", "}", most + 1))) == JsonRefusal::too_deep);
  CHECK(refusal_of(parse_client_json(R"({"a":)" + nested("[", "", "]", most) + "}")) ==
        JsonRefusal::too_deep);
  CHECK(refusal_of(parse_client_json(nested("[", "", "]", 5000))) == JsonRefusal::too_deep);
  CHECK(refusal_of(parse_client_json(std::string(16384, '['))) == JsonRefusal::too_deep);
}

TEST_CASE("WeChat's answer is read whatever it has beside") {
  json::object const answer = object_of(
      R"({"errcode":0,"errmsg":"ok","new":[{"deep":{"er":1}}],"phone_info":{"phoneNumber":"13800138000"}})");
  CHECK(answer.contains("phone_info"));
}

TEST_CASE("of a name that comes twice in WeChat's answer the last counts, but not of errcode") {
  CHECK(*string_member(object_of(R"({"errmsg":"a","errmsg":"b"})"), "errmsg") == "b");
  CHECK_FALSE(refusal_of(parse_wechat_json(R"({"errcode":0,"x":{"errcode":1,"errcode":2}})")).has_value());
  CHECK_FALSE(
      refusal_of(parse_wechat_json(R"({"x":[{"errcode":1},{"errcode":2}],"errcode":0})")).has_value());
  CHECK(refusal_of(parse_wechat_json(R"({"errcode":0,"errcode":0})")) == JsonRefusal::duplicate_key);
  CHECK(refusal_of(parse_wechat_json(R"({"errcode":0,"z":1,"z":2,"a":{"b":1},"err\u0063ode":40029})")) ==
        JsonRefusal::duplicate_key);
}

TEST_CASE("what WeChat sends instead of JSON is refused with its reason") {
  CHECK(refusal_of(parse_wechat_json("")) == JsonRefusal::malformed);
  CHECK(refusal_of(parse_wechat_json("<html>502 Bad Gateway</html>")) == JsonRefusal::malformed);
  CHECK(refusal_of(parse_wechat_json(R"({"errcode":0,"phone_info":{"phoneNum)")) == JsonRefusal::malformed);
  CHECK(refusal_of(parse_wechat_json(R"({"errcode":NaN})")) == JsonRefusal::malformed);
  CHECK(refusal_of(parse_wechat_json("[0]")) == JsonRefusal::not_an_object);
  CHECK(refusal_of(parse_wechat_json(nested("[", "", "]", 10000))) == JsonRefusal::too_deep);
  std::size_t const most = limits::wechat_json_depth_max;
  CHECK_FALSE(refusal_of(parse_wechat_json(nested(R"({"a":)", "1", "}", most))).has_value());
  CHECK(refusal_of(parse_wechat_json(nested(R"({"a":)", "1", "}", most + 1))) == JsonRefusal::too_deep);
}

TEST_CASE("a string member is a string, or absent, or of the wrong type") {
  json::object const body = object_of(R"({"code":"a\u0062c","empty":"","n":1,"null":null,"o":{},"a":[]})");
  CHECK(*string_member(body, "code") == "abc");
  CHECK(string_member(body, "empty")->empty());
  CHECK(string_member(body, "Code").error() == MemberFault::absent);
  for (std::string_view const name : {"n", "null", "o", "a"}) {
    CHECK(string_member(body, name).error() == MemberFault::wrong_type);
  }
}

TEST_CASE("an integer member is an integer within 64 bits") {
  json::object const body = object_of(
      R"({"a":1790000000,"b":-1,"c":9223372036854775807,"big":9223372036854775808,"s":"1","d":1.0,"e":1e3,"t":true})");
  CHECK(*integer_member(body, "a") == 1790000000);
  CHECK(*integer_member(body, "b") == -1);
  CHECK(*integer_member(body, "c") == std::numeric_limits<std::int64_t>::max());
  CHECK(integer_member(body, "z").error() == MemberFault::absent);
  for (std::string_view const name : {"big", "s", "d", "e", "t"}) {
    CAPTURE(name);
    CHECK(integer_member(body, name).error() == MemberFault::wrong_type);
  }
}

TEST_CASE("an object member is an object") {
  json::object const body = object_of(R"({"o":{"x":1},"a":[],"null":null})");
  CHECK((*object_member(body, "o"))->contains("x"));
  CHECK(object_member(body, "x").error() == MemberFault::absent);
  CHECK(object_member(body, "a").error() == MemberFault::wrong_type);
  CHECK(object_member(body, "null").error() == MemberFault::wrong_type);
}

TEST_CASE("WeChat's integers may be strings or doubles without a fraction") {
  struct Case {
    std::string_view value;
    std::int64_t number;
  };
  for (Case const& one : {Case{"0", 0},
                          {"-1", -1},
                          {"40029", 40029},
                          {R"("40029")", 40029},
                          {R"("-1")", -1},
                          {R"("0007")", 7},
                          {"40029.0", 40029},
                          {"4.0029e4", 40029},
                          {"-0.0", 0},
                          {R"("9223372036854775807")", std::numeric_limits<std::int64_t>::max()},
                          {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()}}) {
    CAPTURE(one.value);
    auto const number = wechat_integer_member(object_of("{\"n\":" + std::string(one.value) + "}"), "n");
    REQUIRE(number.has_value());
    CHECK(*number == one.number);
  }
}

TEST_CASE("what isn't an integer in any of WeChat's forms has the wrong type") {
  for (std::string_view const value : {"null",
                                       "true",
                                       "{}",
                                       "[]",
                                       "[0]",
                                       "0.5",
                                       "1e19",
                                       "-1e300",
                                       "9223372036854775808",
                                       R"("")",
                                       R"(" 0")",
                                       R"("0 ")",
                                       R"("+1")",
                                       R"("-")",
                                       R"("0x1")",
                                       R"("1.0")",
                                       R"("1e3")",
                                       R"("ok")",
                                       R"("0\u0000")",
                                       R"("9223372036854775808")"}) {
    CAPTURE(value);
    auto const number = wechat_integer_member(object_of("{\"n\":" + std::string(value) + "}"), "n");
    CHECK(number.has_error());
    if (number.has_error()) CHECK(number.error() == MemberFault::wrong_type);
  }
  CHECK(wechat_integer_member(object_of("{}"), "n").error() == MemberFault::absent);
}

TEST_CASE("WeChat's strings may be integers") {
  CHECK(*wechat_string_member(object_of(R"({"countryCode":"86"})"), "countryCode") == "86");
  CHECK(*wechat_string_member(object_of(R"({"countryCode":86})"), "countryCode") == "86");
  CHECK(*wechat_string_member(object_of(R"({"n":18446744073709551615})"), "n") == "18446744073709551615");
  CHECK(wechat_string_member(object_of("{}"), "n").error() == MemberFault::absent);
  for (std::string_view const value : {"null", "true", "86.5", "8.6e1", "[86]", "{}"}) {
    CAPTURE(value);
    CHECK(wechat_string_member(object_of("{\"n\":" + std::string(value) + "}"), "n").error() ==
          MemberFault::wrong_type);
  }
}

}  // namespace
}  // namespace onetap::core
