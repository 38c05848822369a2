#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace onetap::app {

/// What the sandbox does with a code, in the manner of a payment provider's test cards.
enum class TestBehaviour {
  succeed,        // a number, once
  refuse,         // an errcode, every time
  answer_late,    // uses the code up, answers after the caller's patience
  lose_answer,    // uses the code up, closes the connection without an answer
  garble_answer,  // HTTP 200, but no JSON
  fail_gateway,   // HTTP 500 with an HTML page
  expire_token,   // 42001 to the token that came; a number for the next token
  foreign_appid,  // a number, with the watermark of another appid
  abroad,         // a number of +852, countryCode as a JSON number

  // A transport or a gateway at its worst. These leave the code good …
  reset_unread,  // the connection is reset without a look at the code
  redirect,      // HTTP 302 to the same path
  bad_gateway,   // HTTP 502 with an HTML page
  say_nothing,   // HTTP 200 without a body
  nan,           // an errcode that is NaN
  deep,          // 10,000 arrays in each other
  // … and these use it up.
  reset_read,       // the connection is reset
  cut_head,         // the connection ends within the answer's head
  half_json,        // a whole HTTP answer, half of the JSON
  drip,             // a byte at a time, slower than anybody's patience
  huge,             // 10 MiB in chunks
  length_short,     // a Content-Length of less than the body
  length_long,      // a Content-Length of more than the body
  length_twice,     // two Content-Lengths that differ
  bad_chunk,        // a chunk longer than any number
  gzip,             // compressed, though nobody asked for it
  errcode_text,     // errcode as a string
  errcode_twice,    // two errcodes that differ
  tls_alert,        // half of the body, then TLS fails
  no_goodbye,       // an answer without its length, and no close_notify behind it
  busy_but_used_up  // -1
};

struct TestCode {
  std::string_view code;  // good as it stands, and with "-<anything>" behind it
  TestBehaviour behaviour;
  int errcode;  // of `refuse`, `expire_token` and `busy_but_used_up`, else 0
  std::string_view english;
  std::string_view chinese;
};

/// An errcode that no page of WeChat's lists.
inline constexpr int unlisted_errcode = 88999;

/// The one table: the sandbox behaves by it, `onetap sandbox --codes` prints it, docs/sandbox.md shows it.
inline constexpr std::array test_codes{
    TestCode{"sandbox-ok", TestBehaviour::succeed, 0, "a number, once; then 40029", "成功一次，再用为 40029"},
    TestCode{"sandbox-expired", TestBehaviour::refuse, 40029, "40029: the code has expired",
             "40029：code 已过期"},
    TestCode{"sandbox-used", TestBehaviour::refuse, 40029, "40029: the code was used before",
             "40029：code 已被使用"},
    TestCode{"sandbox-busy", TestBehaviour::refuse, -1, "-1: WeChat is busy", "-1：微信系统繁忙"},
    TestCode{"sandbox-slow", TestBehaviour::answer_late, 0, "the answer comes too late; the code is used up",
             "应答超时，code 已被消费"},
    TestCode{"sandbox-reset", TestBehaviour::lose_answer, 0,
             "the connection closes without an answer; the code is used up",
             "连接断开、应答丢失，code 已被消费"},
    TestCode{"sandbox-garbage", TestBehaviour::garble_answer, 0, "HTTP 200 with a body that is not JSON",
             "HTTP 200，但内容不是 JSON"},
    TestCode{"sandbox-http500", TestBehaviour::fail_gateway, 0, "HTTP 500 with an HTML page",
             "HTTP 500，返回 HTML 页面"},
    TestCode{"sandbox-minute-limit", TestBehaviour::refuse, 45011, "45011: too many calls this minute",
             "45011：超过每分钟调用限额"},
    TestCode{"sandbox-daily-limit", TestBehaviour::refuse, 45009, "45009: too many calls today",
             "45009：超过每日调用限额"},
    TestCode{"sandbox-unauthorized", TestBehaviour::refuse, 48001, "48001: the account lacks this ability",
             "48001：账号没有此接口的权限"},
    TestCode{"sandbox-token-expired", TestBehaviour::expire_token, 42001,
             "42001 once: the access token is dead; a number with the next token",
             "首次 42001：access_token 过期；换新 token 后成功"},
    TestCode{"sandbox-foreign", TestBehaviour::foreign_appid, 0,
             "a number with the watermark of another appid", "水印属于别的 appid"},
    TestCode{"sandbox-no-quota", TestBehaviour::refuse, 1400001, "1400001: the quota is used up",
             "1400001：额度不足"},
    TestCode{"sandbox-ip", TestBehaviour::refuse, 40164, "40164: our address is not on WeChat's list",
             "40164：服务器 IP 不在白名单"},
    TestCode{"sandbox-abroad", TestBehaviour::abroad, 0, "a number of +852, countryCode as a JSON number",
             "境外号码 +852，countryCode 为数字"},
    TestCode{"sandbox-unknown", TestBehaviour::refuse, unlisted_errcode, "an errcode that nobody lists",
             "未公布的错误码"},

    TestCode{"sandbox-unread", TestBehaviour::reset_unread, 0,
             "the connection is reset before anybody looks at the code; it is still good",
             "未读取 code 即重置连接，code 仍可用"},
    TestCode{"sandbox-torn", TestBehaviour::reset_read, 0, "the connection is reset; the code is used up",
             "连接被重置，code 已被消费"},
    TestCode{"sandbox-cut", TestBehaviour::cut_head, 0,
             "the connection ends within the answer's head; the code is used up",
             "应答头未完即断开，code 已被消费"},
    TestCode{"sandbox-half-json", TestBehaviour::half_json, 0,
             "a whole HTTP answer with half of its JSON; the code is used up",
             "HTTP 应答完整，JSON 只有一半，code 已被消费"},
    TestCode{"sandbox-drip", TestBehaviour::drip, 0,
             "the answer comes byte by byte, too slowly; the code is used up",
             "应答逐字节缓慢到达，code 已被消费"},
    TestCode{"sandbox-huge", TestBehaviour::huge, 0, "an answer of 10 MiB; the code is used up",
             "应答长 10 MiB，code 已被消费"},
    TestCode{"sandbox-length-short", TestBehaviour::length_short, 0,
             "a Content-Length of less than the body; the code is used up",
             "Content-Length 小于内容，code 已被消费"},
    TestCode{"sandbox-length-long", TestBehaviour::length_long, 0,
             "a Content-Length of more than the body; the code is used up",
             "Content-Length 大于内容，code 已被消费"},
    TestCode{"sandbox-length-twice", TestBehaviour::length_twice, 0,
             "two Content-Lengths that differ; the code is used up",
             "两个不同的 Content-Length，code 已被消费"},
    TestCode{"sandbox-bad-chunk", TestBehaviour::bad_chunk, 0,
             "a chunk longer than any number; the code is used up", "分块长度溢出，code 已被消费"},
    TestCode{"sandbox-gzip", TestBehaviour::gzip, 0,
             "compressed, though nobody asked for it; the code is used up",
             "未要求却返回 gzip，code 已被消费"},
    TestCode{"sandbox-redirect", TestBehaviour::redirect, 0, "HTTP 302 to the same path",
             "HTTP 302，指向同一路径"},
    TestCode{"sandbox-http502", TestBehaviour::bad_gateway, 0, "HTTP 502 with an HTML page",
             "HTTP 502，返回 HTML 页面"},
    TestCode{"sandbox-empty", TestBehaviour::say_nothing, 0, "HTTP 200 without a body", "HTTP 200，内容为空"},
    TestCode{"sandbox-errcode-text", TestBehaviour::errcode_text, 0, "a number, with errcode as a string",
             "成功，errcode 为字符串"},
    TestCode{"sandbox-errcode-twice", TestBehaviour::errcode_twice, 0,
             "a number, with two errcodes that differ", "成功，但有两个不同的 errcode"},
    TestCode{"sandbox-nan", TestBehaviour::nan, 0, "an errcode that is NaN", "errcode 为 NaN"},
    TestCode{"sandbox-deep", TestBehaviour::deep, 0, "10,000 arrays in each other", "嵌套一万层的数组"},
    TestCode{"sandbox-tls-alert", TestBehaviour::tls_alert, 0,
             "TLS fails in the middle of the answer; the code is used up",
             "应答中途 TLS 出错，code 已被消费"},
    TestCode{"sandbox-no-goodbye", TestBehaviour::no_goodbye, 0,
             "an answer without its length that ends without TLS's good-bye; the code is used up",
             "应答无长度且未正常关闭 TLS，code 已被消费"},
    TestCode{"sandbox-spent", TestBehaviour::busy_but_used_up, -1, "-1, and the code is used up",
             "-1，但 code 已被消费"},
};

/// The line of the table that `code` stands under; none for any other code, which is good once.
[[nodiscard]] TestCode const* find_test_code(std::string_view code);

/// The table as text, one code a line, and as JSON.
[[nodiscard]] std::string test_codes_as_text(bool in_chinese);
[[nodiscard]] std::string test_codes_as_json();

}  // namespace onetap::app
