#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/exchange/wechat.hpp"
#include "net/stream.hpp"

namespace onetap::net {

struct HttpRequest {
  std::string_view method;
  std::string_view host;    // the Host field
  std::string_view target;  // path and query
  std::string_view body;    // sent with Content-Length always, even when empty (facts/wechat-api.md §9)
  std::vector<std::pair<std::string_view, std::string_view>>
      headers{};  // beside Host, Content-Length, Content-Type
};

struct HttpAnswer {
  core::Delivery delivery = core::Delivery::not_sent;
  core::TransportFailure failure = core::TransportFailure::none;
  std::string failure_detail;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool keep_alive = false;  // the stream may serve another request

  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Sends one request and reads its answer, under the stream's deadline. Never re-sends. An answer whose
/// end is not told by Content-Length or chunks is `malformed`: it could have been cut.
[[nodiscard]] core::Task<HttpAnswer> send_request(Stream& stream, HttpRequest request);

}  // namespace onetap::net
