#include "net/wechat/http_proxy.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <span>
#include <string_view>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::net {
namespace {

constexpr std::string_view header_end = "\r\n\r\n";

std::string render_connect(std::string const& authority, ProxyCredentials const& credentials) {
  std::string out = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority;
  if (!credentials.empty()) {
    std::string_view const text = credentials.reveal();
    std::span const bytes(reinterpret_cast<unsigned char const*>(text.data()), text.size());
    out.append("\r\nProxy-Authorization: Basic ").append(core::crypto::to_base64(bytes));
  }
  return out.append(header_end);
}

DialFailure unanswered(error_code const& error) {
  bool const late = error == asio::error::timed_out;
  return {.failure = late ? core::TransportFailure::timeout : core::TransportFailure::connect,
          .detail = "the proxy did not answer CONNECT: " + error.message()};
}

// "HTTP/1.1 200 Connection established", the words being up to the proxy; none: it is not HTTP.
std::optional<std::string_view> status_of(std::string_view answer) {
  constexpr std::string_view version = "HTTP/1.";
  constexpr std::size_t status_at = 9;
  constexpr std::size_t status_size = 3;
  if (!answer.starts_with(version) || answer.size() <= status_at + status_size) return std::nullopt;
  std::string_view const status = answer.substr(status_at, status_size);
  auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
  char const behind = answer[status_at + status_size];
  if (answer[status_at - 1] != ' ' || !std::ranges::all_of(status, is_digit)) return std::nullopt;
  if (behind != ' ' && behind != '\r') return std::nullopt;
  return status;
}

// WeChat's side of TLS waits for our first word: any other word is not WeChat's.
std::optional<DialFailure> judge(std::string_view answer, std::size_t header_bytes) {
  std::string detail;
  auto const status = status_of(answer);
  if (!status) {
    detail = "the proxy's answer to CONNECT is not HTTP";
  } else if (*status != "200") {
    detail = "the proxy answered CONNECT with " + std::string(*status);
  } else if (answer.size() > header_bytes) {
    detail = "the proxy sent more than its answer to CONNECT";
  } else {
    return std::nullopt;
  }
  return DialFailure{.failure = core::TransportFailure::connect, .detail = std::move(detail)};
}

}  // namespace

core::Task<std::optional<DialFailure>> connect_through_proxy(Stream& stream, std::string authority,
                                                             ProxyCredentials credentials) {
  std::string const request = render_connect(authority, credentials);
  error_code const written = co_await stream.write(request);
  if (written) co_return unanswered(written);
  std::string answer;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    error_code const error = co_await stream.read_onto(answer);
    if (error) co_return unanswered(error);
    end = answer.find(header_end);
    std::size_t const header_bytes = std::min(end, answer.size());
    if (header_bytes > core::limits::connect_answer_bytes_max) {
      co_return DialFailure{.failure = core::TransportFailure::connect,
                            .detail = "the proxy's answer to CONNECT is too long"};
    }
  }
  co_return judge(answer, end + header_end.size());
}

}  // namespace onetap::net
