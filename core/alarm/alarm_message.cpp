#include "core/alarm/alarm_message.hpp"

#include <boost/json/serialize.hpp>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

json::value time_or_null(std::optional<WallTime> const& time) {
  return time ? json::value(unix_seconds(*time)) : json::value(nullptr);
}

// What a pack's id or a task's name may hold is another's to choose: no markup, no line of its own.
std::string plain(std::string_view text) {
  std::string kept;
  for (char const c : text) {
    bool const is_control = static_cast<unsigned char>(c) < 0x20;
    kept += is_control || std::string_view("<>`*[]()#").find(c) != std::string_view::npos ? ' ' : c;
  }
  return kept;
}

std::string value_text(json::value const& value) {
  if (auto const* const text = value.if_string()) return plain(*text);
  return json::serialize(value);
}

std::string wecom_lines(AlarmNews const& news) {
  Alarm const& alarm = news.alarm;
  bool const has_ended = news.what == AlarmNews::What::ended;
  std::string_view const colour = has_ended ? "info" : "warning";
  std::string text = "<font color=\"" + std::string(colour) + "\">" +
                     std::string(has_ended ? "已恢复" : "告警") + "</font> **" +
                     std::string(to_string(alarm.subject.name)) + "**";
  for (std::string const* const part : {&alarm.subject.appid, &alarm.subject.kind}) {
    if (!part->empty()) text += " " + plain(*part);
  }
  text += "\n";
  if (!has_ended) text += std::string(rule_of(alarm.subject.name).chinese) + "\n";
  for (auto const& [name, value] : alarm.facts) text += "> " + plain(name) + ": " + value_text(value) + "\n";
  return text;
}

}  // namespace

json::object alarm_json(Alarm const& alarm) {
  AlarmRule const& rule = rule_of(alarm.subject.name);
  json::object object{{"id", alarm.id},
                      {"alarm", rule.text},
                      {"severity", to_string(alarm.severity)},
                      {"appid", alarm.subject.appid},
                      {"kind", alarm.subject.kind},
                      {"what", alarm.subject.what},
                      {"step", alarm.step},
                      {"facts", alarm.facts},
                      {"raisedAt", unix_seconds(alarm.raised)},
                      {"endedAt", time_or_null(alarm.ended)},
                      {"sentAt", time_or_null(alarm.sent)},
                      {"zh", rule.chinese},
                      {"en", rule.english}};
  return object;
}

std::string webhook_body(AlarmNews const& news) {
  json::object body{{"event", news.what == AlarmNews::What::raised ? "raised" : "ended"}};
  for (auto const& member : alarm_json(news.alarm)) {
    if (member.key() != "sentAt") body.insert(member);
  }
  return json::serialize(body);
}

std::string wecom_body(std::span<AlarmNews const> news) {
  std::string text = "### onetap\n";
  std::size_t told = 0;
  for (AlarmNews const& each : news) {
    std::string const lines = wecom_lines(each);
    constexpr std::size_t room_for_the_rest = 64;
    if (text.size() + lines.size() + room_for_the_rest > limits::wecom_text_bytes_max) break;
    text += lines;
    ++told;
  }
  if (told < news.size()) text += "另有 " + std::to_string(news.size() - told) + " 条，见 onetap alarms\n";
  return json::serialize(json::object{{"msgtype", "markdown"}, {"markdown", {{"content", text}}}});
}

std::string webhook_signature(std::string_view secret, WallTime at, std::string_view body) {
  std::string const time = std::to_string(unix_seconds(at));
  crypto::Digest const digest = crypto::hmac_sha256(
      {reinterpret_cast<unsigned char const*>(secret.data()), secret.size()}, time + "." + std::string(body));
  return "t=" + time + ",v1=" + crypto::to_hex(digest);
}

}  // namespace onetap::core
