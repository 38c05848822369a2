#include "core/alarm/alarm.hpp"

#include <algorithm>
#include <stdexcept>

namespace onetap::core {
namespace {

using namespace std::chrono_literals;

constexpr auto soon_again = seconds(10min);
constexpr auto an_hour = seconds(1h);
constexpr auto a_day = seconds(24h);

}  // namespace

// A switch would need them one by one; the table is read by people.
std::vector<AlarmRule> const& alarm_rules() {
  using enum AlarmName;
  using enum AlarmSeverity;
  static std::vector<AlarmRule> const rules{
      {quota_low, "quota_low", warning, 0s, soon_again, true,
       "WeChat 的可用额度已低于 20、10、5 或 0 %。请在微信公众平台购买资源包；0 % 时页面会提示额度不足。",
       "WeChat says that 20, 10, 5 or 0 % of the units in force are left. Buy a resource pack; at 0 % pages "
       "are told "
       "before the tap."},
      {days_left_low, "days_left_low", warning, 1min, a_day, true,
       "按近期用量，剩余额度将在 15、7、3 或 1 天内用完。请提前购买资源包。",
       "At the rate of late what is left lasts for 15, 7, 3 or 1 days. Buy a resource pack in time."},
      {pack_expires, "pack_expires", warning, 1min, a_day, true,
       "资源包将在 15、7、3 或 1 "
       "天内到期，按近期用量会有额度未用完即失效。可放宽每日上限，或下次购买更小的包。",
       "A pack ends in 15, 7, 3 or 1 days with units that nobody will have used. Raise daily caps if there "
       "are any, or "
       "buy a smaller one next time."},
      {spending_spike, "spending_spike", critical, 0s, an_hour, false,
       "本小时用量远高于平常，可能有人在刷额度。请查看 /api/top，并用 ONETAP_TAPS_PER_USER_DAY 与 "
       "ONETAP_BUDGET_DAY "
       "限制点击。",
       "This hour takes far more units than usual: somebody may be draining the pack. See /api/top, and cap "
       "the taps by "
       "ONETAP_TAPS_PER_USER_DAY and ONETAP_BUDGET_DAY."},
      {units_beyond_packs, "units_beyond_packs", warning, 0s, an_hour, false,
       "有额度记在任何已知资源包之外。WeChat 的数字可能滞后，或有新包未列出；请查看 v_packs 与对账结果。",
       "Units were booked that no known pack could pay for: WeChat's figures lag, or a pack is not listed. "
       "See v_packs "
       "and the reconciliation."},
      {usage_unavailable, "usage_unavailable", warning, an_hour, soon_again, false,
       "一小时以来 WeChat 不提供用量数据，额度告警与预测不再更新。请查看日志 usage_unavailable 的提示。",
       "For an hour WeChat has not told what it counted: quota alarms and the forecast stand still. The "
       "log's "
       "usage_unavailable has a hint."},
      {token_unavailable, "token_unavailable", critical, 1min, soon_again, false,
       "没有可用的 access_token，手机号无法换取。请检查 APPID、SECRET 与 IP 白名单（运行 onetap doctor）。",
       "There is no access_token, so no code is exchanged. Check APPID, SECRET and the IP white list (onetap "
       "doctor)."},
      {calls_stopped, "calls_stopped", critical, 0s, soon_again, false,
       "已暂停向 WeChat 发送 code，code 留在页面上不会丢失。原因见 cause；通常会自行恢复，否则运行 onetap "
       "doctor。",
       "No codes are sent to WeChat at the moment; they wait at the page and stay good. The cause is named; "
       "it mostly "
       "mends itself, else run onetap doctor."},
      {wechat_refused_configuration, "wechat_refused_configuration", critical, 0s, soon_again, false,
       "WeChat 因配置拒绝请求（AppSecret、IP 白名单、权限或账号状态）。请按 errcode 处理，运行 onetap "
       "doctor。",
       "WeChat refuses for what the operator has set: AppSecret, IP white list, permission or account. Run "
       "onetap "
       "doctor."},
      {daily_limit_reached, "daily_limit_reached", critical, 0s, an_hour, false,
       "WeChat 接口的每日调用次数已用完（45009），次日零点恢复；可在微信后台申请提高或清零。",
       "WeChat's limit of calls a day is reached (45009); it ends at midnight in China. The console can "
       "clear it, or "
       "raise it on request."},
      {errcode_unknown, "errcode_unknown", warning, 0s, a_day, false,
       "WeChat 返回了本版本不认识的 errcode，该 code 记为存疑。请查看微信文档，升级 onetap 或报告此问题。",
       "WeChat answered an errcode that this version does not know; the code is in doubt. See WeChat's "
       "documents, and "
       "update onetap or report it."},
      {watermark_mismatch, "watermark_mismatch", critical, 0s, a_day, false,
       "WeChat 返回了其他 appid 或时间不符的号码，未交付。请核对 APPID 与服务器时间，并联系微信。",
       "WeChat answered with a number of another appid or time; it was not handed out. Check APPID and the "
       "clock, and "
       "ask WeChat."},
      {clock_off, "clock_off", critical, 0s, soon_again, false,
       "本机时钟与 WeChat 相差两分钟以上，超过五分钟将停止换取。请校准时间（NTP）。",
       "This machine's clock is two minutes or more off WeChat's; at five nothing is exchanged. Put it right "
       "(NTP)."},
      {ledger_not_writable, "ledger_not_writable", critical, 5s, soon_again, false,
       "账本无法写入（磁盘已满或过慢），新的 code 被拒绝但仍有效。请清理磁盘空间。",
       "The ledger cannot be written (disk full, or far too slow): codes are turned away and stay good. Make "
       "room on the "
       "disk."},
      {maintenance_failed, "maintenance_failed", critical, 0s, soon_again, false,
       "账本的例行维护被拒绝，过期号码可能未及时清除。请运行 onetap verify，并报告此问题。",
       "The ledger refused its own upkeep, so numbers may be kept too long. Run onetap verify, and report "
       "it."},
      {task_failed, "task_failed", warning, 0s, an_hour, false,
       "一个后台任务失败，已自动重启。若反复出现，请附上日志报告此问题。",
       "A background task failed and was started again. If it comes again and again, report it with the "
       "log."},
  };
  return rules;
}

AlarmRule const& rule_of(AlarmName name) {
  auto const found = std::ranges::find(alarm_rules(), name, &AlarmRule::name);
  if (found == alarm_rules().end()) throw std::logic_error("an alarm without a rule");
  return *found;
}

std::string_view to_string(AlarmName name) { return rule_of(name).text; }

std::string_view to_string(AlarmSeverity severity) {
  return severity == AlarmSeverity::critical ? "critical" : "warning";
}

std::optional<AlarmName> alarm_name_from(std::string_view text) {
  auto const found = std::ranges::find(alarm_rules(), text, &AlarmRule::text);
  return found == alarm_rules().end() ? std::nullopt : std::optional(found->name);
}

}  // namespace onetap::core
