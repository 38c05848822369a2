#include "net/server/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/beast/core/string.hpp>
#include <exception>
#include <utility>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"
#include "core/request_id.hpp"
#include "net/server/http_policy.hpp"
#include "net/server/proxy_header.hpp"
#include "net/server/request_target.hpp"
#include "net/server/response.hpp"

namespace onetap::net {
namespace {

namespace limits = core::limits;

// Health checks come every second, an operator's page and scrapes every few, and whoever presents nothing
// good may come at any rate.
RequestLog::Kind kind_in_log(Request const& request, Response const& response) {
  constexpr int unauthorized = 401;
  constexpr int forbidden = 403;
  constexpr int too_many_requests = 429;
  constexpr int internal_error = 500;
  constexpr std::array probes{"/healthz", "/readyz", "/metrics", "/api/live"};
  bool const is_probe = std::ranges::count(probes, request.path) > 0;
  bool const is_one_of_many = (is_probe && response.status < internal_error) ||
                              response.status == unauthorized || response.status == forbidden ||
                              response.status == too_many_requests;
  return is_one_of_many ? RequestLog::Kind::one_of_many : RequestLog::Kind::of_its_own;
}

}  // namespace

std::optional<AddressCounts::Place> ConnectionContext::place_for(asio::ip::address const& peer) {
  std::size_t const most = options.connections_per_address_max;
  if (most == 0 || is_within(options.trusted_proxies, peer)) return AddressCounts::Place();
  auto place = addresses.enter(limit_key(peer), most);
  if (place) return place;
  crowded_address.happened(options.listener);
  return std::nullopt;
}

Connection::Connection(Newcomer newcomer, ConnectionContext& context)
    : stream_(context.options.tls ? Stream(std::move(newcomer.socket), *context.options.tls)
                                  : Stream(std::move(newcomer.socket))),
      context_(context),
      peer_(std::move(newcomer.peer)),
      remote_address_(peer_.to_string()),
      arrival_deadline_(newcomer.deadline),
      place_(std::move(newcomer.place)) {}

core::Task<> Connection::run() {
  co_await core::shield_from_cancellation();
  stream_.expires_at(arrival_deadline_);
  if (context_.options.proxy_protocol) {
    bool const is_welcome = co_await learn_source();
    if (!is_welcome) co_return;
  }
  error_code const handshaken = co_await stream_.handshake();
  if (handshaken) co_return;
  co_await serve_requests();
  stream_.expires_at(context_.clock.steady() + limits::tls_shutdown_time);
  co_await stream_.shutdown();
}

// Whom the proxy speaks for, and whether there is room for one more of theirs.
core::Task<bool> Connection::learn_source() {
  auto const bytes = co_await stream_.read_before_handshake(proxy_head_bytes);
  if (!bytes) co_return false;
  auto const head = read_proxy_head(*bytes);
  if (!head) {
    context_.bad_proxy_header.happened(context_.options.listener);
    co_return false;
  }
  auto const rest = co_await stream_.read_before_handshake(head->rest_bytes);
  if (!rest) co_return false;
  if (head->is_local) co_return true;
  peer_ = plain_address(proxied_source(*head, *rest));
  remote_address_ = peer_.to_string();
  auto place = context_.place_for(peer_);
  if (!place) co_return false;
  place_ = std::move(*place);
  co_return true;
}

core::Task<> Connection::serve_requests() {
  Next next = Next::keep;
  while (next == Next::keep && requests_ < limits::requests_per_connection_max) {
    std::string head;
    std::optional<Refusal> refusal;
    bool const complete = co_await read_head(head, refusal);
    if (!complete && !refusal) break;
    ++requests_;
    if (refusal) {
      next = co_await refuse_head(*refusal, std::exchange(unread_, {}));
    } else {
      next = co_await serve_one(std::move(head));
    }
    idle_ = true;
    if (context_.stopping) break;
  }
}

// Of the first byte that says anything: empty lines do not.
core::SteadyTime Connection::head_deadline() const {
  if (requests_ > 0) return context_.clock.steady() + limits::keep_alive_idle_time;
  bool const waited_in_lobby = !context_.options.tls && !context_.options.proxy_protocol;
  return waited_in_lobby ? arrival_deadline_ : context_.clock.steady() + limits::first_byte_time;
}

// False without a refusal: the client left, or said nothing for too long.
core::Task<bool> Connection::read_head(std::string& head, std::optional<Refusal>& refusal) {
  stream_.expires_at(head_deadline());
  bool begun = false;
  while (true) {
    while (unread_.starts_with("\r\n")) unread_.erase(0, 2);  // RFC 9112 §2.2: empty lines before a request
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
    error_code const error = co_await stream_.read_onto(unread_);
    if (error) {
      if (begun && error == asio::error::timed_out) refusal = Refusal::request_timeout;
      co_return false;
    }
  }
}

core::Task<std::optional<Refusal>> Connection::receive_body(std::uint64_t size, bool expects_continue) {
  stream_.expires_at(context_.clock.steady() + limits::body_time);
  if (expects_continue) {
    error_code const written = co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n");
    if (written) co_return Refusal::bad_request;
  }
  while (unread_.size() < size) {
    error_code const error = co_await stream_.read_onto(unread_);
    if (error) co_return error == asio::error::timed_out ? Refusal::request_timeout : Refusal::bad_request;
  }
  co_return std::nullopt;
}

core::Task<Connection::Next> Connection::serve_one(std::string head) {
  RequestHead const parsed = parse_head(head);
  if (parsed.refusal) co_return co_await refuse_head(*parsed.refusal, std::move(head));
  RequestTarget target = read_target(parsed.target, context_.options.path_prefix, context_.router);
  Request request{.method = parsed.method,
                  .target = parsed.target,
                  .path = target.path,
                  .query = target.query,
                  .headers = parsed.headers,
                  .body = {},
                  .remote_address = remote_address_,
                  .signed_target = std::move(target.as_sent),
                  .request_id = {},
                  .arrived = context_.clock.steady()};
  request.request_id = request_id(request);
  describe_sender(request);
  Manner manner{.keep_alive = parsed.keeps_connection,
                .head_only = request.method == "HEAD",
                .logged_as = RequestLog::Kind::one_of_many};

  // An answer before the body is read keeps the connection only where the body has come already.
  bool const body_is_here = unread_.size() >= parsed.content_length;
  Router::Match const match = context_.router.match(request.method, request.path);
  request.path_is_known = match.route != nullptr || match.refusal != Refusal::not_found;
  std::optional<Response> early;
  manner.route = match.route;
  if (match.route == nullptr) {
    early = context_.router.refuse(match.refusal, match.allowed_methods, request);
  } else if (match.route->admit) {
    early = match.route->admit(request);
  }
  if (!early && match.route->body == Body::json && !request.has_json()) {
    early = context_.router.refuse(Refusal::unsupported_media_type, {}, request);
  }
  if (early) {
    if (body_is_here) unread_.erase(0, parsed.content_length);
    manner.keep_alive = manner.keep_alive && body_is_here;
    co_return co_await write(request, std::move(*early), manner);
  }

  std::optional<Refusal> unread;
  if (parsed.content_length > limits::body_bytes_max) {
    unread = Refusal::payload_too_large;
  } else if (!body_is_here) {
    unread = co_await receive_body(parsed.content_length, parsed.expects_continue);
  }
  if (unread) {
    Response refused = context_.router.refuse(*unread, {}, request);
    if (match.route->annotate) match.route->annotate(refused, request);
    manner.keep_alive = false;
    co_return co_await write(request, std::move(refused), manner);
  }
  std::string const body = unread_.substr(0, parsed.content_length);
  unread_.erase(0, parsed.content_length);
  request.body = body;
  Response response = co_await answer(request, *match.route);
  manner.logged_as = kind_in_log(request, response);
  co_return co_await write(request, std::move(response), manner);
}

void Connection::describe_sender(Request& request) {
  std::vector<std::string_view> forwarded_for;
  for (Header const& field : request.headers) {
    if (boost::beast::iequals(field.name, "X-Forwarded-For")) forwarded_for.push_back(field.value);
  }
  HttpServerOptions const& options = context_.options;
  if (!forwarded_for.empty() && options.trusted_proxies.empty()) warn_of_proxy();
  auto const client = client_address(peer_, forwarded_for, options.trusted_proxies);
  request.client_address = client.to_string();
  request.limit_key = limit_key(client);
}

// Without the setting every page comes from the proxy's address, and shares one address's limit.
void Connection::warn_of_proxy() {
  if (!context_.options.expects_proxies || context_.warned_of_proxy || !is_near(peer_)) return;
  context_.warned_of_proxy = true;
  context_.log.warn("proxy_not_trusted", {{"peer", remote_address_},
                                          {"hint",
                                           "X-Forwarded-For comes from here: if it is your proxy, set "
                                           "ONETAP_TRUSTED_PROXIES=" +
                                               remote_address_}});
}

// A handler that throws has broken its promise: the client hears `internal`, the log hears why.
core::Task<Response> Connection::answer(Request const& request, Route const& route) const {
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

// What can be read of the head still tells the request's id, its sender and the language of the answer.
core::Task<Connection::Next> Connection::refuse_head(Refusal refusal, std::string head) {
  std::vector<Header> const headers = readable_fields(head);
  Request refused{.method = {},
                  .path = {},
                  .query = {},
                  .headers = headers,
                  .body = {},
                  .remote_address = remote_address_,
                  .request_id = {},
                  .arrived = context_.clock.steady()};
  refused.request_id = request_id(refused);
  describe_sender(refused);
  Response response = context_.router.refuse(refusal, {}, refused);
  Manner const manner{.logged_as = RequestLog::Kind::one_of_many};
  co_return co_await write(refused, std::move(response), manner);
}

core::Task<Connection::Next> Connection::write(Request const& request, Response response, Manner manner) {
  bool const last = !manner.keep_alive || response.close || response.raw || response.perform ||
                    context_.stopping || requests_ >= limits::requests_per_connection_max;
  std::string const bytes = render(response, request.request_id, !last, manner.head_only);
  stream_.expires_at(context_.clock.steady() + limits::write_time);
  error_code written;
  if (response.perform) {
    co_await response.perform(stream_);
  } else if (!bytes.empty()) {
    written = co_await stream_.write(bytes);
  }
  if (context_.options.log_requests) {
    context_.requests.write({.listener = context_.options.listener,
                             .request = request,
                             .response = response,
                             .answered = !written,
                             .kind = manner.logged_as});
  }
  if (context_.options.observe) tell_observer(request, response, manner.route);
  co_return written || last ? Next::close : Next::keep;
}

void Connection::tell_observer(Request const& request, Response const& response, Route const* route) const {
  std::vector<Route> const& routes = context_.router.routes();
  std::size_t const place =
      route == nullptr ? routes.size() : static_cast<std::size_t>(route - routes.data());
  context_.options.observe({.route = place,
                            .status = response.status,
                            .problem = response.problem,
                            .took = context_.clock.steady() - request.arrived});
}

std::string Connection::request_id(Request const& request) const {
  std::string_view const offered = request.header("X-Request-Id").value_or("");
  if (core::is_request_id(offered) && !request.repeats_header("X-Request-Id")) return std::string(offered);
  return core::make_request_id(context_.clock.wall(), core::crypto::random_name());
}

}  // namespace onetap::net
