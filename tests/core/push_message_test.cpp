#include "core/push/push_message.hpp"

#include <doctest/doctest.h>

#include "core/limits.hpp"
#include "tests/support/push.hpp"

using namespace onetap::core;
using namespace onetap::tests;

namespace {

std::string nested(std::string const& open, std::string const& inside, std::string const& close, int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += inside;
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("XML and JSON say the same") {
  for (std::string const& body :
       {quota_push_json(1000, 900, 1'693'624'245), quota_push_xml(1000, 900, 1'693'624'245)}) {
    auto const message = parse_push_message(body);
    REQUIRE(message.has_value());
    CHECK(message->type == "event");
    CHECK(message->from.starts_with("oeg5b5"));
    CHECK(message->created == WallTime(seconds(1'693'624'245)));
    CHECK(message->event_type == 3);
    CHECK(message->spu_id == 10'000'077);
    CHECK(message->total_quota == 1000);
    CHECK(message->total_used_quota == 900);
    CHECK(message->encrypted.empty());
  }
}

TEST_CASE("numbers in JSON may be texts") {
  auto const message =
      parse_push_message(R"({"spu_id":"10000077","CreateTime":"1693624245","event_type":"3"})");
  REQUIRE(message.has_value());
  CHECK(message->spu_id == 10'000'077);
  CHECK(message->created == WallTime(seconds(1'693'624'245)));
  CHECK(message->event_type == 3);
}

TEST_CASE("what is no number, or no time, is not there") {
  auto const message = parse_push_message(
      "<xml><spu_id>10000077x</spu_id><event_type/><total_quota> 5</total_quota>"
      "<total_used_quota>99999999999999999999</total_used_quota><CreateTime>-1</CreateTime></xml>");
  REQUIRE(message.has_value());
  CHECK_FALSE(message->spu_id);
  CHECK_FALSE(message->event_type);
  CHECK_FALSE(message->total_quota);
  CHECK_FALSE(message->total_used_quota);
  CHECK_FALSE(message->created);
  CHECK_FALSE(parse_push_message(R"({"CreateTime":9223372036854775807})")->created);
}

TEST_CASE("an encrypted push is its Encrypt") {
  CHECK(parse_push_message("<xml><ToUserName>gh</ToUserName><Encrypt><![CDATA[+q/=]]></Encrypt></xml>")
            ->encrypted == "+q/=");
  CHECK(parse_push_message(R"( {"ToUserName":"gh","Encrypt":"+q\/="})")->encrypted == "+q/=");
}

TEST_CASE("white space, a declaration and comments may stand around it") {
  auto const message = parse_push_message(
      "\n <?xml version=\"1.0\"?><!-- x --><xml><!-- y --><Event>a&lt;&#98;</Event></xml>\n<!-- z -->");
  REQUIRE(message.has_value());
  CHECK(message->event == "a<b");
}

TEST_CASE("what is neither is refused") {
  for (std::string const& body :
       {std::string(), std::string(" "), std::string("success"), std::string("[]"), std::string("{"),
        std::string("<xml>"), std::string("<xml></XML>"), std::string("<other><Event>x</Event></other>"),
        std::string("<xml/><xml/>"), std::string("<xml><Event>x</xml></Event>"),
        std::string("<xml><Event><![CDATA[x</Event></xml>"),
        std::string("<xml><Event>a\0b</Event></xml>", 29), std::string("{\"Event\":\"\xff\"}"),
        std::string("{} x")})
    CHECK_MESSAGE(!parse_push_message(body), body);
}

TEST_CASE("a DOCTYPE is refused, and entities of its own mean nothing") {
  CHECK_FALSE(parse_push_message("<!DOCTYPE xml><xml><Event>x</Event></xml>"));
  CHECK_FALSE(parse_push_message(
      R"(<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Event>&a;</Event></xml>)"));
  CHECK(parse_push_message("<xml><Event>&a;</Event></xml>")->event == "&a;");
}

TEST_CASE("depth has an end, however deep a body goes") {
  int const most = static_cast<int>(limits::wechat_json_depth_max);
  CHECK(parse_push_message("<xml>" + nested("<a>", "", "</a>", most - 1) + "</xml>"));
  CHECK_FALSE(parse_push_message("<xml>" + nested("<a>", "", "</a>", most) + "</xml>"));
  CHECK_FALSE(parse_push_message("<xml>" + nested("<a>", "", "</a>", 2300) + "</xml>"));
  CHECK_FALSE(parse_push_message(nested("<a>", "", "", 5400)));
  CHECK(parse_push_message(nested("{\"a\":", "1", "}", most)));
  CHECK_FALSE(parse_push_message(nested("{\"a\":", "1", "}", most + 1)));
}

TEST_CASE("of what is nested nothing is taken for a field of the message") {
  auto const xml = parse_push_message("<xml><a><Event>inner</Event></a><Event><b>x</b></Event></xml>");
  REQUIRE(xml.has_value());
  CHECK(xml->event.empty());
  auto const json = parse_push_message(R"({"a":{"Event":"inner"},"MsgType":["x"]})");
  REQUIRE(json.has_value());
  CHECK(json->event.empty());
  CHECK(json->type.empty());
}
