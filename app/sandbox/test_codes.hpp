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
};

struct TestCode {
  std::string_view code;  // good as it stands, and with "-<anything>" behind it
  TestBehaviour behaviour;
  int errcode;  // of `refuse` and `expire_token`, else 0
  std::string_view english;
  std::string_view chinese;
};

/// An errcode that no page of WeChat's lists.
inline constexpr int unlisted_errcode = 88999;

/// The one table: the sandbox behaves by it, `onetap sandbox --codes` prints it, the README shows it.
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
};

/// The line of the table that `code` stands under; none for any other code, which is good once.
[[nodiscard]] TestCode const* find_test_code(std::string_view code);

/// The table as text, one code a line, and as JSON.
[[nodiscard]] std::string test_codes_as_text(bool in_chinese);
[[nodiscard]] std::string test_codes_as_json();

}  // namespace onetap::app
