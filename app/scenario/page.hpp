#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace onetap::app {

/// What WeChat hands to the page's bindgetphonenumber callback (facts/wechat-api.md §1).
struct TapEvent {
  std::string error_message;          // "getPhoneNumber:ok"
  std::optional<int> error_number{};  // 1400001: the quota is used up
  std::string code{};
};

/// The words of the bare page of docs/miniprogram.md: it calls the server only with a code in its hand.
inline constexpr std::string_view page_says_success = "获取成功";
inline constexpr std::string_view page_says_no_quota = "当前额度不足";
inline constexpr std::string_view page_says_not_authorised = "未授权手机号";
inline constexpr std::string_view page_says_server_fault = "服务端异常";

/// What the page shows at once; none when it asks the server with the code.
[[nodiscard]] std::optional<std::string> words_without_call(TapEvent const& tap);

/// What it shows for the server's answer: for a problem, the answer's own `detail`. Status 0: no answer.
[[nodiscard]] std::string words_for_answer(int status, std::string_view body);

}  // namespace onetap::app
