#include "core/push/push_message.hpp"

#include <array>
#include <charconv>
#include <pugixml.hpp>
#include <utility>

#include "core/json.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

/// The names in WeChat's pushes, and where their values go.
class Filling {
 public:
  void take(std::string_view name, std::string_view value) {
    for (auto const& [known, member] : texts) {
      if (name == known) message_.*member = value;
    }
    for (auto const& [known, member] : numbers) {
      if (name == known) message_.*member = integer_of(value);
    }
    if (name == "CreateTime") message_.created = time_of(value);
  }

  [[nodiscard]] PushMessage release() { return std::move(message_); }

 private:
  static constexpr std::array<std::pair<std::string_view, std::string PushMessage::*>, 6> texts{
      {{"Encrypt", &PushMessage::encrypted},
       {"FromUserName", &PushMessage::from},
       {"MsgType", &PushMessage::type},
       {"Event", &PushMessage::event},
       {"appid", &PushMessage::appid},
       {"validity_end_time", &PushMessage::validity_end}}};
  static constexpr std::array<std::pair<std::string_view, std::optional<std::int64_t> PushMessage::*>, 4>
      numbers{{{"event_type", &PushMessage::event_type},
               {"spu_id", &PushMessage::spu_id},
               {"total_quota", &PushMessage::total_quota},
               {"total_used_quota", &PushMessage::total_used_quota}}};

  static std::optional<std::int64_t> integer_of(std::string_view text) {
    std::int64_t number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
  }

  static std::optional<WallTime> time_of(std::string_view text) {
    constexpr std::int64_t unix_seconds_max = 32'503'680'000;  // the year 3000
    auto const unix_seconds = integer_of(text);
    if (!unix_seconds || *unix_seconds <= 0 || *unix_seconds > unix_seconds_max) return std::nullopt;
    return WallTime(seconds(*unix_seconds));
  }

  PushMessage message_;
};

class DepthLimit final : public pugi::xml_tree_walker {
  bool for_each(pugi::xml_node& /*node*/) override {
    return depth() < static_cast<int>(limits::wechat_json_depth_max);
  }
};

std::optional<PushMessage> parse_xml(std::string_view body) {
  // A DOCTYPE is asked for to be refused: pugixml would skip it. Entities of a document's own it does not
  // know.
  constexpr unsigned flags = pugi::parse_cdata | pugi::parse_escapes | pugi::parse_doctype;
  if (body.find('\0') != std::string_view::npos) return std::nullopt;
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), flags, pugi::encoding_utf8)) return std::nullopt;
  pugi::xml_node const root = document.first_child();
  bool const stands_alone = root.type() == pugi::node_element && !root.next_sibling();
  DepthLimit shallow;
  if (!stands_alone || std::string_view(root.name()) != "xml" || !document.traverse(shallow))
    return std::nullopt;
  Filling filling;
  for (pugi::xml_node const child : root.children()) filling.take(child.name(), child.child_value());
  return filling.release();
}

std::optional<PushMessage> parse_json(std::string_view body) {
  auto const object = parse_wechat_json(body);
  if (!object) return std::nullopt;
  Filling filling;
  for (auto const& member : *object) {
    auto const text = wechat_string_member(*object, member.key());
    if (text) filling.take(member.key(), *text);
  }
  return filling.release();
}

}  // namespace

std::optional<PushMessage> parse_push_message(std::string_view body) {
  auto const begin = body.find_first_not_of(" \t\r\n");
  bool const is_json = begin != std::string_view::npos && body[begin] == '{';
  return is_json ? parse_json(body) : parse_xml(body);
}

}  // namespace onetap::core
