#include "net/wechat/wechat_client.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/limits.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;
namespace limits = core::limits;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string encoded;
  for (char const character : text) {
    auto const byte = static_cast<unsigned char>(character);
    if (unreserved.find(character) != std::string_view::npos) {
      encoded += character;
    } else {
      encoded.append({'%', hex[byte >> 4], hex[byte & 15]});
    }
  }
  return encoded;
}

std::string host_field(WeChatAddress const& address) {
  constexpr unsigned short https_port = 443;
  std::string const host =
      address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  return address.port == https_port ? host : host + ":" + std::to_string(address.port);
}

core::TransportFailure connect_failure(error_code const& error, core::TransportFailure otherwise) {
  return error == asio::error::timed_out ? core::TransportFailure::timeout : otherwise;
}

core::WeChatReply reply_of(HttpAnswer answer) {
  return {.delivery = answer.delivery,
          .failure = answer.failure,
          .failure_detail = std::move(answer.failure_detail),
          .http_status = answer.status,
          .body = std::move(answer.body),
          .date = std::string(answer.header("Date"))};
}

}  // namespace

/// A stream that goes back to the pool, unless a request has left it in a state nobody knows.
class WeChatClient::Line final : public core::WeChatLine {
 public:
  Line(Stream stream, std::weak_ptr<ConnectionPool> pool)
      : stream_(std::move(stream)), pool_(std::move(pool)) {}
  Line(Line const&) = delete;
  Line& operator=(Line const&) = delete;
  ~Line() override {
    auto const pool = pool_.lock();
    if (pool && reusable_) pool->give_back(std::move(stream_));
  }

  [[nodiscard]] Stream& stream() { return stream_; }
  void set_reusable(bool reusable) { reusable_ = reusable; }

 private:
  Stream stream_;
  std::weak_ptr<ConnectionPool> pool_;
  bool reusable_ = true;
};

WeChatClient::WeChatClient(asio::any_io_executor executor, core::Clock& clock, TlsContext tls,
                           WeChatAddress address)
    : executor_(std::move(executor)),
      clock_(clock),
      tls_(std::move(tls)),
      address_(std::move(address)),
      host_field_(host_field(address_)),
      resolver_(executor_, clock, address_.host, address_.port),
      pool_(std::make_shared<ConnectionPool>(clock)) {}

core::Task<> WeChatClient::run() { return resolver_.run(); }

void WeChatClient::stop() {
  resolver_.stop();
  pool_->close_all();
}

std::unique_ptr<core::WeChatLine> WeChatClient::take_line() {
  auto stream = pool_->take();
  if (!stream) return nullptr;
  return std::make_unique<Line>(std::move(*stream), pool_);
}

core::Task<core::LineResult> WeChatClient::open_line(core::SteadyTime deadline) {
  if (auto warm = take_line()) co_return core::LineResult{.line = std::move(warm)};
  Opened opened = co_await open(deadline);
  co_return core::LineResult{.line = std::move(opened.line),
                             .failure = opened.failure,
                             .failure_detail = std::move(opened.failure_detail)};
}

core::Task<core::WeChatReply> WeChatClient::get_user_phone_number(std::unique_ptr<core::WeChatLine> line,
                                                                  core::AccessToken access_token,
                                                                  core::Code code, core::OpenId openid,
                                                                  core::milliseconds answer_time,
                                                                  core::SteadyTime deadline) {
  std::string target = address_.base_path + "/wxa/business/getuserphonenumber?access_token=";
  target += percent_encoded(access_token.reveal());
  json::object body{{"code", code.reveal()}};
  if (!openid.empty()) body["openid"] = openid.reveal();
  return send(std::move(line), {.method = "POST", .target = std::move(target), .body = json::serialize(body)},
              answer_time, deadline);
}

core::Task<core::WeChatReply> WeChatClient::get_stable_token(std::string appid, core::AppSecret secret,
                                                             core::SteadyTime deadline) {
  std::string body = json::serialize(json::object{{"grant_type", "client_credential"},
                                                  {"appid", appid},
                                                  {"secret", secret.reveal()},
                                                  {"force_refresh", false}});
  return send(
      {.method = "POST", .target = address_.base_path + "/cgi-bin/stable_token", .body = std::move(body)},
      deadline);
}

core::Task<core::WeChatReply> WeChatClient::get_api_quota(core::AccessToken access_token,
                                                          core::SteadyTime deadline) {
  std::string target = address_.base_path +
                       "/cgi-bin/openapi/quota/get?access_token=" + percent_encoded(access_token.reveal());
  return send({.method = "POST",
               .target = std::move(target),
               .body = R"({"cgi_path":"/wxa/business/getuserphonenumber"})"},
              deadline);
}

core::Task<core::WeChatReply> WeChatClient::code_to_session(std::string appid, core::AppSecret secret,
                                                            core::JsCode js_code, core::SteadyTime deadline) {
  std::string target = address_.base_path + "/sns/jscode2session?appid=" + percent_encoded(appid) +
                       "&secret=" + percent_encoded(secret.reveal()) +
                       "&js_code=" + percent_encoded(js_code.reveal()) + "&grant_type=authorization_code";
  return send({.method = "GET", .target = std::move(target), .body = {}}, deadline);
}

// A body, even an empty object, would be answered 87009 (facts §6.2).
core::Task<core::WeChatReply> WeChatClient::get_user_encrypt_key(core::AccessToken access_token,
                                                                 core::OpenId openid, std::string signature,
                                                                 core::SteadyTime deadline) {
  std::string target =
      address_.base_path +
      "/wxa/business/getuserencryptkey?access_token=" + percent_encoded(access_token.reveal()) +
      "&openid=" + percent_encoded(openid.reveal()) + "&signature=" + signature + "&sig_method=hmac_sha256";
  return send({.method = "POST", .target = std::move(target), .body = {}}, deadline);
}

core::Task<core::WeChatReply> WeChatClient::send(Outgoing outgoing, core::SteadyTime deadline) {
  auto const answer_time = std::chrono::duration_cast<core::milliseconds>(deadline - clock_.steady());
  return send(nullptr, std::move(outgoing), answer_time, deadline);
}

core::Task<core::WeChatReply> WeChatClient::send(std::unique_ptr<core::WeChatLine> line, Outgoing outgoing,
                                                 core::milliseconds answer_time, core::SteadyTime deadline) {
  // The port hands out no other lines than ours.
  std::unique_ptr<Line> ours(
      static_cast<Line*>(line.release()));  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
  if (!ours || !ours->stream().is_idle_and_alive()) {
    if (ours) ours->set_reusable(false);
    Opened opened = co_await open(deadline);
    if (!opened.line) {
      co_return core::WeChatReply{.delivery = core::Delivery::not_sent,
                                  .failure = opened.failure,
                                  .failure_detail = std::move(opened.failure_detail)};
    }
    ours = std::move(opened.line);
  }
  if (clock_.steady() >= deadline) {
    co_return core::WeChatReply{.delivery = core::Delivery::not_sent,
                                .failure = core::TransportFailure::timeout};
  }
  ours->set_reusable(false);
  ours->stream().expires_at(std::min(clock_.steady() + answer_time, deadline));
  HttpRequest const request{
      .method = outgoing.method, .host = host_field_, .target = outgoing.target, .body = outgoing.body};
  HttpAnswer answer = co_await send_request(ours->stream(), request);
  ours->set_reusable(answer.keep_alive);
  core::WeChatReply reply = reply_of(std::move(answer));
  observer_(reply);
  co_return reply;
}

core::Task<WeChatClient::Opened> WeChatClient::open(core::SteadyTime deadline) {
  core::SteadyTime const connected_by = std::min(deadline, clock_.steady() + limits::wechat_connect_time);
  auto const endpoints = co_await resolver_.endpoints(connected_by);
  Opened opened{.line = nullptr, .failure = core::TransportFailure::resolve, .failure_detail = address_.host};
  for (tcp::endpoint const& endpoint : endpoints) {
    opened = co_await connect(endpoint, connected_by);
    if (opened.line || clock_.steady() >= connected_by) break;
  }
  co_return opened;
}

core::Task<WeChatClient::Opened> WeChatClient::connect(tcp::endpoint endpoint, core::SteadyTime deadline) {
  Stream stream(tcp::socket(executor_), tls_, address_.host);
  stream.expires_at(deadline);
  error_code const connected = co_await stream.connect(endpoint);
  if (connected) {
    co_return Opened{.line = nullptr,
                     .failure = connect_failure(connected, core::TransportFailure::connect),
                     .failure_detail = connected.message()};
  }
  error_code const handshaken = co_await stream.handshake();
  if (handshaken) {
    co_return Opened{
        .line = nullptr,
        .failure = connect_failure(handshaken, core::TransportFailure::tls),
        .failure_detail = stream.tls_error().empty() ? handshaken.message() : stream.tls_error()};
  }
  co_return Opened{.line = std::make_unique<Line>(std::move(stream), pool_)};
}

}  // namespace onetap::net
