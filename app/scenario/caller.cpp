#include "app/scenario/caller.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <chrono>
#include <exception>
#include <optional>

#include "net/stream.hpp"

namespace onetap::app {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

std::string sentence_of(error_code const& error) {
  if (error == asio::error::timed_out) return "no answer in time";
  if (error == asio::error::eof || error == asio::error::connection_reset) return "connection closed";
  return error.message();
}

struct UrlParts {
  std::string host;
  std::string port = "443";
  std::string base_path;
};

std::optional<UrlParts> take_apart(std::string_view url) {
  constexpr std::string_view scheme = "https://";
  if (!url.starts_with(scheme) || url.find_first_of("?#@ \"\\") != std::string_view::npos)
    return std::nullopt;
  url.remove_prefix(scheme.size());
  std::size_t const slash = std::min(url.find('/'), url.size());
  std::string_view authority = url.substr(0, slash);
  UrlParts parts;
  parts.base_path = url.substr(slash);
  while (parts.base_path.ends_with('/')) parts.base_path.pop_back();
  std::size_t const bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  std::size_t const colon = authority.find(':', bracket);
  if (colon != std::string_view::npos) {
    parts.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  if (bracket != 0) authority = authority.substr(1, bracket - 1);
  unsigned short port = 0;
  auto const read = std::from_chars(parts.port.data(), parts.port.data() + parts.port.size(), port);
  bool const is_port = read.ec == std::errc() && read.ptr == parts.port.data() + parts.port.size();
  if (!is_port || port == 0 || authority.empty()) return std::nullopt;
  parts.host = authority;
  return parts;
}

}  // namespace

class Caller::Call {
 public:
  CallAnswer answer;
  bool done = false;
};

namespace {

class AnswerReader {
 public:
  explicit AnswerReader(bool has_no_body) {
    constexpr std::uint64_t answer_bytes_max = 16ULL << 20U;
    parser_.eager(true);
    parser_.skip(has_no_body);
    parser_.body_limit(answer_bytes_max);
  }

  error_code take(std::string_view bytes) {
    unparsed_.append(bytes);
    while (!unparsed_.empty() && !parser_.is_done()) {
      error_code error;
      std::size_t const used = parser_.put(asio::buffer(unparsed_), error);
      unparsed_.erase(0, used);
      if (error == http::error::need_more) return {};
      if (error) return error;
    }
    return {};
  }

  [[nodiscard]] bool is_done() const { return parser_.is_done(); }

  CallAnswer release() {
    auto message = parser_.release();
    CallAnswer answer{.failure = {},
                      .status = static_cast<int>(message.result_int()),
                      .headers = {},
                      .body = std::move(message.body())};
    for (auto const& field : message) answer.headers.emplace_back(field.name_string(), field.value());
    return answer;
  }

 private:
  http::response_parser<http::string_body> parser_;
  std::string unparsed_;
};

CallAnswer failed(std::string sentence) {
  return {.failure = std::move(sentence), .status = 0, .headers = {}, .body = {}};
}

core::Task<CallAnswer> read_answer(net::Stream& stream, bool has_no_body) {
  AnswerReader reader(has_no_body);
  std::array<char, 4096> buffer{};
  while (true) {
    auto const size = co_await stream.read_some(buffer);
    if (!size) co_return failed(sentence_of(size.error()));
    error_code const unreadable = reader.take(std::string_view(buffer.data(), *size));
    if (unreadable) co_return failed("not an HTTP answer: " + unreadable.message());
    if (reader.is_done()) co_return reader.release();
  }
}

core::Task<CallAnswer> perform(asio::any_io_executor executor, Target target, CallRequest request) {
  core::SteadyTime const deadline = std::chrono::steady_clock::now() + request.patience;
  error_code connected = asio::error::host_not_found;
  for (tcp::endpoint const& endpoint : target.endpoints) {
    net::Stream stream(tcp::socket(executor), target.tls, target.host);
    stream.expires_at(deadline);
    connected = co_await stream.connect(endpoint);
    if (connected) continue;
    error_code const handshaken = co_await stream.handshake();
    if (handshaken) {
      std::string const reason = stream.tls_error();
      co_return failed("TLS: " + (reason.empty() ? sentence_of(handshaken) : reason));
    }
    // A server may answer and close before it has read everything, so its answer counts all the same.
    [[maybe_unused]] error_code const written = co_await stream.write(request.bytes);
    CallAnswer answer = co_await read_answer(stream, request.has_no_answer_body);
    co_return answer;
  }
  co_return failed("no connection: " + connected.message());
}

}  // namespace

core::Result<Target, std::string> Target::make(std::string_view url, std::string_view ca_pem) {
  using Made = core::Result<Target, std::string>;
  auto const refuse = [url](std::string_view reason) {
    return Made(boost::system::in_place_error, std::string(url).append(": ").append(reason));
  };
  std::optional<UrlParts> parts = take_apart(url);
  if (!parts) return refuse("not an https URL; write e.g. https://127.0.0.1:8443");
  auto tls = net::TlsContext::client(ca_pem);
  if (!tls) return refuse(tls.error());
  asio::io_context loop;
  tcp::resolver resolver(loop);
  error_code unresolved;
  auto const found = resolver.resolve(parts->host, parts->port, unresolved);
  if (unresolved) return refuse("the name cannot be resolved: " + unresolved.message());
  std::vector<tcp::endpoint> endpoints;
  for (auto const& entry : found) endpoints.push_back(entry.endpoint());
  bool const is_ipv6 = parts->host.find(':') != std::string::npos;
  std::string authority = is_ipv6 ? "[" + parts->host + "]" : parts->host;
  if (parts->port != "443") authority += ":" + parts->port;
  return Made(Target{.host = std::move(parts->host),
                     .authority = std::move(authority),
                     .base_path = std::move(parts->base_path),
                     .endpoints = std::move(endpoints),
                     .tls = std::move(*tls)});
}

std::string_view CallAnswer::header(std::string_view name) const {
  for (auto const& [field, value] : headers) {
    if (boost::beast::iequals(field, name)) return value;
  }
  return {};
}

std::string render_request(std::string_view method, std::string_view target,
                           std::vector<std::pair<std::string, std::string>> const& headers,
                           std::string_view body) {
  std::string bytes;
  bytes.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  for (auto const& [name, value] : headers) bytes.append(name).append(": ").append(value).append("\r\n");
  return bytes.append("\r\n").append(body);
}

std::shared_ptr<Caller::Call> Caller::begin(Target const& target, CallRequest request) {
  auto call = std::make_shared<Call>();
  asio::co_spawn(loop_, perform(loop_.get_executor(), target, std::move(request)),
                 [call](std::exception_ptr const& broken, CallAnswer answer) {
                   if (broken) std::rethrow_exception(broken);
                   call->answer = std::move(answer);
                   call->done = true;
                 });
  return call;
}

CallAnswer Caller::wait(std::shared_ptr<Call> const& call) {
  while (!call->done && !interrupted_) {
    loop_.restart();
    loop_.run_one();
  }
  return call->done ? call->answer : failed("interrupted");
}

void Caller::pause(core::milliseconds time) {
  bool over = false;
  asio::steady_timer timer(loop_, time);
  timer.async_wait([&over](error_code) { over = true; });
  while (!over && !interrupted_) {
    loop_.restart();
    loop_.run_one();
  }
  timer.cancel();
  while (!over) {  // the handler looks at `over`
    loop_.restart();
    loop_.run_one();
  }
}

void Caller::wait_for_interrupt() {
  constexpr core::milliseconds long_enough{3'600'000};
  while (!interrupted_) pause(long_enough);
}

}  // namespace onetap::app
