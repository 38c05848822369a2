#include "net/server/response.hpp"

#include <boost/beast/http/status.hpp>

namespace onetap::net {

std::string_view reason_phrase(int status) {
  return boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
}

std::string render(Response const& response, std::string_view request_id, bool keep_alive, bool head_only) {
  if (response.raw) return *response.raw;
  constexpr std::size_t head_bytes_about = 320;
  std::string out;
  out.reserve(head_bytes_about + response.body.size());
  auto const field = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  out.append("HTTP/1.1 ")
      .append(std::to_string(response.status))
      .append(" ")
      .append(reason_phrase(response.status));
  out.append("\r\n");
  if (!response.content_type.empty() && !response.body.empty()) field("Content-Type", response.content_type);
  field("Content-Length", std::to_string(response.body.size()));
  field("Cache-Control", "no-store");
  field("X-Content-Type-Options", "nosniff");
  field("X-Request-Id", request_id);
  for (auto const& [name, value] : response.headers) field(name, value);
  if (!keep_alive) field("Connection", "close");
  out.append("\r\n");
  if (!head_only) out.append(response.body);
  return out;
}

}  // namespace onetap::net
