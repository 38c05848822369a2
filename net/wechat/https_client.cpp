#include "net/wechat/https_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "core/limits.hpp"

namespace onetap::net {
namespace {

namespace http = boost::beast::http;
namespace limits = core::limits;

using AnswerParser = http::response_parser<http::string_body>;

std::string render(HttpRequest const& request) {
  std::string out;
  constexpr std::size_t head_bytes_about = 512;
  out.reserve(head_bytes_about + request.target.size() + request.body.size());
  out.append(request.method)
      .append(" ")
      .append(request.target)
      .append(" HTTP/1.1\r\nHost: ")
      .append(request.host);
  if (!request.body.empty()) out.append("\r\nContent-Type: application/json");
  for (auto const& [name, value] : request.headers)
    out.append("\r\n").append(name).append(": ").append(value);
  out.append("\r\nContent-Length: ")
      .append(std::to_string(request.body.size()))
      .append("\r\n\r\n")
      .append(request.body);
  return out;
}

HttpAnswer failed(core::Delivery delivery, core::TransportFailure failure, std::string detail) {
  return {.delivery = delivery, .failure = failure, .failure_detail = std::move(detail)};
}

HttpAnswer lost(error_code const& error) {
  bool const late = error == asio::error::timed_out;
  return failed(core::Delivery::maybe_sent,
                late ? core::TransportFailure::timeout : core::TransportFailure::connection_lost,
                error.message());
}

HttpAnswer unreadable(error_code const& error) {
  bool const too_large = error == http::error::body_limit || error == http::error::header_limit;
  return failed(core::Delivery::maybe_sent,
                too_large ? core::TransportFailure::too_large : core::TransportFailure::malformed,
                error.message());
}

// Reads one answer's bytes into a parser, whatever pieces they come in.
class AnswerReader {
 public:
  AnswerReader() { start_anew(); }

  // Where what comes is appended.
  [[nodiscard]] std::string& unparsed() { return unparsed_; }

  // An error when the bytes can't become an answer.
  error_code parse() {
    while (!unparsed_.empty() && !parser_->is_done()) {
      error_code error;
      std::size_t const used = parser_->put(asio::buffer(unparsed_), error);
      unparsed_.erase(0, used);
      if (error && error != http::error::need_more) return error;
      if (parser_->is_header_done() && is_interim()) {
        start_anew();
        continue;
      }
      if (used == 0 || error) break;
    }
    return {};
  }

  [[nodiscard]] bool complete() const { return parser_->is_done(); }

  // Without a length an answer that was cut looks like one that ended.
  [[nodiscard]] bool lacks_length() const { return parser_->is_header_done() && parser_->need_eof(); }

  HttpAnswer finish() {
    bool const keep_alive = parser_->keep_alive() && unparsed_.empty();
    auto message = parser_->release();
    HttpAnswer answer{.delivery = core::Delivery::answered,
                      .status = static_cast<int>(message.result_int()),
                      .body = std::move(message.body()),
                      .keep_alive = keep_alive};
    for (auto const& field : message) answer.headers.emplace_back(field.name_string(), field.value());
    return answer;
  }

 private:
  [[nodiscard]] bool is_interim() const {
    constexpr unsigned first_final_status = 200;
    return parser_->is_done() && parser_->get().result_int() < first_final_status;
  }

  void start_anew() {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(limits::wechat_header_bytes_max));
    parser_->body_limit(limits::wechat_answer_bytes_max);
  }

  std::optional<AnswerParser> parser_;
  std::string unparsed_;
};

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  for (auto const& [field, value] : headers) {
    if (boost::beast::iequals(field, name)) return value;
  }
  return {};
}

core::Task<HttpAnswer> send_request(Stream& stream, HttpRequest request) {
  std::string const bytes = render(request);
  error_code const written = co_await stream.write(bytes);
  if (written) co_return lost(written);
  AnswerReader reader;
  while (true) {
    error_code const unread = co_await stream.read_onto(reader.unparsed());
    if (unread) {
      if (reader.lacks_length())
        co_return failed(core::Delivery::maybe_sent, core::TransportFailure::malformed,
                         "an answer without its length");
      co_return lost(unread);
    }
    error_code const error = reader.parse();
    if (error) co_return unreadable(error);
    if (reader.complete()) co_return reader.finish();
  }
}

}  // namespace onetap::net
