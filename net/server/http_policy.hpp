#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "net/message.hpp"

namespace onetap::net {

/// What the bytes of a request's head say, read by the strictest rules: parsers are lenient where smuggling
/// begins (RFC 9112 §11.2). Views look into those bytes.
struct RequestHead {
  std::optional<Refusal> refusal;  // the connection must be closed after the answer; the rest means nothing
  std::string_view method;
  std::string_view target;      // origin-form
  std::vector<Header> headers;  // as they came, without the blanks around their values
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  bool expects_continue = false;
  bool keeps_connection = false;  // HTTP/1.1, and no Connection field says close
};

/// `head` ends with the empty line.
[[nodiscard]] RequestHead parse_head(std::string_view head);

/// The fields that can be read in a head that is refused or not complete, for the answer and the log only.
[[nodiscard]] std::vector<Header> readable_fields(std::string_view head);

/// Where the head ends (one past its empty line), or 0 when it is not complete yet.
[[nodiscard]] std::size_t end_of_head(std::string_view bytes);

/// For a head that is not complete yet: true when it can't become an acceptable one any more.
[[nodiscard]] std::optional<Refusal> judge_partial_head(std::string_view bytes);

}  // namespace onetap::net
