#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace onetap::core {

/// A push's body, as far as we care for it; what it does not say is empty. Nothing of it is judged.
struct PushMessage {
  std::string encrypted;  // Encrypt: the message itself is in there (push_envelope.hpp)

  std::string from;  // FromUserName
  std::string type;  // MsgType
  std::string event;
  std::string appid;
  std::optional<WallTime> created;  // CreateTime
  std::optional<std::int64_t> event_type;
  std::optional<std::int64_t> spu_id;
  std::optional<std::int64_t> total_quota;
  std::optional<std::int64_t> total_used_quota;
  std::string validity_end;  // validity_end_time, whose format WeChat does not tell
};

/// Reads XML (one element `xml`, its children's texts; no DOCTYPE) or JSON (one object; numbers may be
/// texts), whichever it is: Content-Type is not needed for it. Of a name that comes twice one counts. None
/// where it is neither, or nested deeper than limits::wechat_json_depth_max.
[[nodiscard]] std::optional<PushMessage> parse_push_message(std::string_view body);

}  // namespace onetap::core
