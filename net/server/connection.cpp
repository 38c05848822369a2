#include "net/server/connection.hpp"

#include <array>
#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <exception>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/request_id.hpp"
#include "net/server/http_policy.hpp"
#include "net/server/response.hpp"

namespace onetap::net {
namespace {

namespace http = boost::beast::http;
namespace limits = core::limits;

using HeadParser = http::request_parser<http::empty_body>;

std::string_view without_parameters(std::string_view media_type) {
  std::string_view const type = media_type.substr(0, media_type.find(';'));
  auto const last = type.find_last_not_of(" \t");
  return type.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool is_json(Request const& request) {
  auto const media_type = request.header("Content-Type");
  return media_type && boost::beast::iequals(without_parameters(*media_type), "application/json");
}

std::optional<std::string_view> first_refused_media_type(Request const& request, Body body) {
  if (body != Body::json || is_json(request)) return std::nullopt;
  return request.header("Content-Type").value_or("");
}

// The views of `request` look into `parser`, which outlives it.
std::vector<Header> header_views(HeadParser const& parser) {
  std::vector<Header> headers;
  constexpr std::size_t fields_about = 12;
  headers.reserve(fields_about);
  for (auto const& field : parser.get())
    headers.push_back({.name = field.name_string(), .value = field.value()});
  return headers;
}

bool parse(HeadParser& parser, std::string_view head) {
  error_code error;
  parser.header_limit(static_cast<std::uint32_t>(limits::header_bytes_max + 1));
  parser.body_limit(boost::none);  // its length is judged where its body is read
  parser.put(boost::asio::buffer(head), error);
  return parser.is_header_done() && (!error || error == http::error::need_more);
}

}  // namespace

Connection::Connection(Stream stream, ConnectionContext context)
    : stream_(std::move(stream)),
      context_(context),
      remote_address_(stream_.remote_endpoint().address().to_string()) {}

core::Task<> Connection::run() {
  co_await core::shield_from_cancellation();
  stream_.expires_at(context_.clock.steady() + limits::handshake_time);
  error_code const handshaken = co_await stream_.handshake();
  if (handshaken) co_return;
  Next next = Next::keep;
  while (next == Next::keep && requests_ < limits::requests_per_connection_max) {
    std::string head;
    std::optional<Refusal> refusal;
    bool const complete = co_await read_head(head, refusal);
    if (!complete && !refusal) break;
    ++requests_;
    if (refusal) {
      next = co_await refuse_head(*refusal);
    } else {
      next = co_await serve_one(std::move(head));
    }
    idle_ = true;
    if (context_.stopping) break;
  }
  stream_.expires_at(context_.clock.steady() + limits::tls_shutdown_time);
  co_await stream_.shutdown();
}

// False without a refusal: the client left, or said nothing for too long.
core::Task<bool> Connection::read_head(std::string& head, std::optional<Refusal>& refusal) {
  stream_.expires_at(context_.clock.steady() + limits::keep_alive_idle_time);
  bool begun = false;
  while (true) {
    unread_.erase(0, unread_.find_first_not_of("\r\n"));  // RFC 9112 §2.2: empty lines before a request
    if (!unread_.empty() && !begun) {
      begun = true;
      idle_ = false;
      stream_.expires_at(context_.clock.steady() + limits::header_time);
    }
    if (std::size_t const end = end_of_head(unread_); end != 0) {
      head = unread_.substr(0, end);
      unread_.erase(0, end);
      co_return true;
    }
    refusal = judge_partial_head(unread_);
    if (refusal) co_return false;
    std::array<char, 4096> buffer{};
    auto const size = co_await stream_.read_some(buffer);
    if (!size) {
      if (begun && size.error() == asio::error::timed_out) refusal = Refusal::request_timeout;
      co_return false;
    }
    unread_.append(buffer.data(), *size);
  }
}

core::Task<std::optional<Refusal>> Connection::read_body(std::string& body, std::uint64_t size,
                                                         bool expects_continue) {
  if (size > limits::body_bytes_max) co_return Refusal::payload_too_large;
  stream_.expires_at(context_.clock.steady() + limits::body_time);
  if (expects_continue && unread_.size() < size) {
    error_code const written = co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (written) co_return Refusal::bad_request;
  }
  while (unread_.size() < size) {
    std::array<char, 4096> buffer{};
    auto const received = co_await stream_.read_some(buffer);
    if (!received) {
      bool const late = received.error() == asio::error::timed_out;
      co_return late ? Refusal::request_timeout : Refusal::bad_request;
    }
    unread_.append(buffer.data(), *received);
  }
  body = unread_.substr(0, size);
  unread_.erase(0, size);
  co_return std::nullopt;
}

core::Task<Connection::Next> Connection::serve_one(std::string head) {
  HeadFraming const framing = judge_head(head);
  if (framing.refusal) co_return co_await refuse_head(*framing.refusal);
  HeadParser parser;
  if (!parse(parser, head)) co_return co_await refuse_head(Refusal::bad_request);
  std::vector<Header> const headers = header_views(parser);
  std::string_view const target = parser.get().target();
  auto const question = target.find('?');
  Request request{
      .method = parser.get().method_string(),
      .path = target.substr(0, question),
      .query = question == std::string_view::npos ? std::string_view() : target.substr(question + 1),
      .headers = headers,
      .body = {},
      .remote_address = remote_address_,
      .request_id = {},
      .arrived = context_.clock.steady()};
  request.request_id = request_id(request.header("X-Request-Id").value_or(""));
  bool const head_only = request.method == "HEAD";
  constexpr unsigned http_1_1 = 11;
  bool const client_keeps = parser.get().keep_alive() && parser.get().version() == http_1_1;

  // An answer before the body is read keeps the connection only where the body has come already.
  bool const body_is_here = unread_.size() >= framing.content_length;
  Router::Match const match = context_.router.match(request.method, request.path);
  request.path_is_known = match.route != nullptr || match.refusal != Refusal::not_found;
  std::optional<Response> early;
  if (match.route == nullptr) {
    early = context_.router.refuse(match.refusal, match.allowed_methods, request);
  } else if (match.route->admit) {
    early = match.route->admit(request);
  }
  if (!early && first_refused_media_type(request, match.route->body)) {
    early = context_.router.refuse(Refusal::unsupported_media_type, {}, request);
  }
  if (early) {
    if (body_is_here) unread_.erase(0, framing.content_length);
    co_return co_await write(request, std::move(*early), client_keeps && body_is_here, head_only);
  }

  std::string body;
  std::optional<Refusal> const unread =
      co_await read_body(body, framing.content_length, framing.expects_continue);
  if (unread) {
    Response refused = context_.router.refuse(*unread, {}, request);
    co_return co_await write(request, std::move(refused), false, head_only);
  }
  request.body = body;
  Response response = co_await answer(request, *match.route);
  co_return co_await write(request, std::move(response), client_keeps, head_only);
}

// A handler that throws has broken its promise: the client hears `internal`, the log hears why.
core::Task<Response> Connection::answer(Request const& request, Route const& route) {
  std::string broken;
  try {
    Response response = co_await route.handle(request);
    co_return response;
  } catch (std::exception const& exception) {
    broken = exception.what();
  } catch (...) {
    broken = "unknown exception";
  }
  context_.log.error("handler_failed",
                     {{"request_id", request.request_id}, {"path", request.path}, {"what", broken}});
  co_return context_.router.refuse(Refusal::internal, {}, request);
}

core::Task<Connection::Next> Connection::refuse_head(Refusal refusal) {
  Request const unreadable{.method = {},
                           .path = {},
                           .query = {},
                           .headers = {},
                           .body = {},
                           .remote_address = remote_address_,
                           .request_id = request_id({}),
                           .arrived = context_.clock.steady()};
  Response response = context_.router.refuse(refusal, {}, unreadable);
  co_return co_await write(unreadable, std::move(response), false, false);
}

core::Task<Connection::Next> Connection::write(Request const& request, Response response, bool keep_alive,
                                               bool head_only) {
  bool const last = !keep_alive || response.close || response.raw || context_.stopping ||
                    requests_ >= limits::requests_per_connection_max;
  std::string const bytes = render(response, request.request_id, !last, head_only);
  stream_.expires_at(context_.clock.steady() + limits::write_time);
  error_code written;
  if (!bytes.empty()) written = co_await stream_.write(bytes);
  if (context_.log_requests) {
    auto const took = std::chrono::duration<double, std::milli>(context_.clock.steady() - request.arrived);
    context_.log.info("request", {{"listener", context_.listener},
                                  {"request_id", request.request_id},
                                  {"method", request.method},
                                  {"path", request.path_is_known ? request.path : std::string_view("-")},
                                  {"status", response.status},
                                  {"latency_ms", took.count()},
                                  {"remote", request.remote_address},
                                  {"answered", !written}});
  }
  co_return written || last ? Next::close : Next::keep;
}

std::string Connection::request_id(std::string_view offered) const {
  if (core::is_request_id(offered)) return std::string(offered);
  std::array<unsigned char, 10> random{};
  core::crypto::fill_random(random);
  return core::make_request_id(context_.clock.wall(), random);
}

}  // namespace onetap::net
