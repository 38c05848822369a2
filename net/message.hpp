#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/gate/authorization.hpp"
#include "core/task.hpp"

namespace onetap::net {

namespace asio = boost::asio;

class Stream;

struct Header {
  std::string_view name;
  std::string_view value;
};

/// One request as the server read it. Views stay valid until its response has been returned.
struct Request {
  std::string_view method;
  std::string_view target;  // path and query as received
  std::string_view path;    // of the target, without the query
  std::string_view query;   // without "?"; may be empty
  std::span<Header const> headers;
  std::string_view body;
  std::string_view remote_address;
  std::string signed_target;   // path and query as the page sent them, before a proxy stripped a prefix
  std::string client_address;  // behind trusted proxies the page's, else remote_address
  std::string limit_key;       // what limits by address go by: 4 bytes of IPv4, the first 8 of IPv6
  std::string request_id;      // the client's when well-formed, else made
  core::SteadyTime arrived;
  core::Authorization authorization;  // as the gate's `admit` read the field; none before
  bool path_is_known = false;         // some route has it; an unknown one may hold anything, a code too

  /// The first field of that name (names compare without case).
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;

  /// True when the header occurs more than once.
  [[nodiscard]] bool repeats_header(std::string_view name) const;

  /// True when Content-Type says application/json.
  [[nodiscard]] bool has_json() const;
};

/// What a handler answers; the connection renders it once, into one buffer.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string_view problem{};  // its code, for the log; static text
  bool close = false;          // end the connection after this answer

  /// Instead of all the above: write these bytes as they are and close; an empty string closes without an
  /// answer. This is how the sandbox plays a broken WeChat.
  std::optional<std::string> raw;

  /// Instead of all that: has the connection to itself, which closes afterwards; for what bytes alone cannot
  /// break.
  std::function<core::Task<>(Stream&)> perform{};
};

/// Why a request never reached a handler.
enum class Refusal {
  bad_request,
  not_found,
  method_not_allowed,
  unsupported_media_type,
  payload_too_large,
  uri_too_long,
  headers_too_large,
  length_required,
  request_timeout,
  internal,  // a handler broke its promise
};

}  // namespace onetap::net
