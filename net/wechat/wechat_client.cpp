#include "net/wechat/wechat_client.hpp"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "core/limits.hpp"
#include "core/text.hpp"

namespace onetap::net {
namespace {

namespace json = boost::json;

// RFC 3986 §2.3.
bool is_unreserved(char c) {
  return core::is_letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  while (!text.empty()) {
    auto const size = static_cast<std::size_t>(std::ranges::find_if_not(text, is_unreserved) - text.begin());
    encoded += text.substr(0, size);
    text.remove_prefix(size);
    if (text.empty()) break;
    auto const byte = static_cast<unsigned char>(text.front());
    encoded.append({'%', hex[byte >> 4], hex[byte & 15]});
    text.remove_prefix(1);
  }
  return encoded;
}

core::WeChatReply reply_of(HttpAnswer answer) {
  return {.delivery = answer.delivery,
          .failure = answer.failure,
          .failure_detail = std::move(answer.failure_detail),
          .http_status = answer.status,
          .body = std::move(answer.body),
          .date = std::string(answer.header("Date"))};
}

core::WeChatReply not_sent(DialFailure const& failure) {
  return {.delivery = core::Delivery::not_sent, .failure = failure.failure, .failure_detail = failure.detail};
}

}  // namespace

/// A connection that goes back to the pool, unless a request has left it in a state nobody knows.
class WeChatClient::Line final : public core::WeChatLine {
 public:
  Line(PooledLine line, std::weak_ptr<ConnectionPool> pool)
      : line_(std::move(line)), pool_(std::move(pool)) {}
  Line(Line const&) = delete;
  Line& operator=(Line const&) = delete;
  ~Line() override {
    auto const pool = pool_.lock();
    if (pool && reusable_) pool->give_back(std::move(line_));
  }

  [[nodiscard]] Stream& stream() { return line_.stream; }
  [[nodiscard]] std::size_t address() const { return line_.address; }

  /// Directly before a request is written.
  [[nodiscard]] bool is_fit() {
    auto const pool = pool_.lock();
    return pool && pool->is_fit(line_);
  }

  void set_unusable() { reusable_ = false; }
  void set_usable_since(core::SteadyTime now) {
    line_.idle_since = now;
    reusable_ = true;
  }

 private:
  PooledLine line_;
  std::weak_ptr<ConnectionPool> pool_;
  bool reusable_ = true;
};

WeChatClient::WeChatClient(asio::any_io_executor executor, core::Clock& clock, TlsContext tls,
                           WeChatRoute route)
    : WeChatClient(executor, clock, std::move(tls), std::move(route), system_lookup(executor)) {}

WeChatClient::WeChatClient(asio::any_io_executor executor, core::Clock& clock, TlsContext tls,
                           WeChatRoute route, Lookup lookup)
    : clock_(clock),
      dialer_(std::move(executor), clock, std::move(tls), std::move(route), std::move(lookup)),
      pool_(std::make_shared<ConnectionPool>(clock)) {}

std::string_view to_string(WeChatCall call) {
  switch (call) {
    case WeChatCall::get_user_phone_number: return "getuserphonenumber";
    case WeChatCall::get_access_token: return "token";
    case WeChatCall::get_api_quota: return "openapi_quota";
    case WeChatCall::code_to_session: return "jscode2session";
    case WeChatCall::get_user_encrypt_key: return "getuserencryptkey";
    case WeChatCall::get_charge_usage: return "charge_usage";
    case WeChatCall::get_recent_average: return "charge_recent_average";
  }
  return "";
}

LineStatistics WeChatClient::lines() const {
  return {.idle = pool_->size(), .opened = opened_, .failed = failed_};
}

core::Task<> WeChatClient::run() { return dialer_.run(); }

void WeChatClient::stop() {
  dialer_.stop();
  pool_->close_all();
}

std::unique_ptr<core::WeChatLine> WeChatClient::take_line() {
  auto line = pool_->take();
  if (!line) return nullptr;
  return std::make_unique<Line>(std::move(*line), pool_);
}

core::Task<core::LineResult> WeChatClient::open_line(core::SteadyTime deadline) {
  if (auto warm = take_line()) co_return core::LineResult{.line = std::move(warm)};
  Opened opened = co_await open(deadline);
  if (!opened)
    co_return core::LineResult{.failure = opened.error().failure, .failure_detail = opened.error().detail};
  co_return core::LineResult{.line = std::move(*opened)};
}

core::Task<core::WeChatReply> WeChatClient::get_user_phone_number(std::unique_ptr<core::WeChatLine> line,
                                                                  core::AccessToken access_token,
                                                                  core::Code code, core::OpenId openid,
                                                                  core::milliseconds answer_time,
                                                                  core::SteadyTime deadline) {
  std::string target = "/wxa/business/getuserphonenumber?access_token=";
  target += percent_encoded(access_token.reveal());
  json::object body{{"code", code.reveal()}};
  if (!openid.empty()) body["openid"] = openid.reveal();
  return ask(std::move(line),
             {.call = WeChatCall::get_user_phone_number,
              .method = "POST",
              .target = std::move(target),
              .body = json::serialize(body)},
             answer_time, deadline);
}

core::Task<core::WeChatReply> WeChatClient::get_access_token(core::TokenEndpoint endpoint, std::string appid,
                                                             core::AppSecret secret,
                                                             core::SteadyTime deadline) {
  if (endpoint == core::TokenEndpoint::plain) {
    std::string target = "/cgi-bin/token?grant_type=client_credential&appid=" + percent_encoded(appid) +
                         "&secret=" + percent_encoded(secret.reveal());
    return send(
        {.call = WeChatCall::get_access_token, .method = "GET", .target = std::move(target), .body = {}},
        deadline);
  }
  std::string body = json::serialize(json::object{{"grant_type", "client_credential"},
                                                  {"appid", appid},
                                                  {"secret", secret.reveal()},
                                                  {"force_refresh", false}});
  return send({.call = WeChatCall::get_access_token,
               .method = "POST",
               .target = "/cgi-bin/stable_token",
               .body = std::move(body)},
              deadline);
}

core::Task<core::WeChatReply> WeChatClient::get_api_quota(core::AccessToken access_token,
                                                          core::SteadyTime deadline) {
  std::string target = "/cgi-bin/openapi/quota/get?access_token=" + percent_encoded(access_token.reveal());
  return send({.call = WeChatCall::get_api_quota,
               .method = "POST",
               .target = std::move(target),
               .body = R"({"cgi_path":"/wxa/business/getuserphonenumber"})"},
              deadline);
}

core::Task<core::WeChatReply> WeChatClient::code_to_session(std::string appid, core::AppSecret secret,
                                                            core::JsCode js_code, core::SteadyTime deadline) {
  std::string target = "/sns/jscode2session?appid=" + percent_encoded(appid) +
                       "&secret=" + percent_encoded(secret.reveal()) +
                       "&js_code=" + percent_encoded(js_code.reveal()) + "&grant_type=authorization_code";
  return send({.call = WeChatCall::code_to_session, .method = "GET", .target = std::move(target), .body = {}},
              deadline);
}

// A body, even an empty object, would be answered 87009 (facts §6.2).
core::Task<core::WeChatReply> WeChatClient::get_user_encrypt_key(core::AccessToken access_token,
                                                                 core::OpenId openid, std::string signature,
                                                                 core::SteadyTime deadline) {
  std::string target =
      "/wxa/business/getuserencryptkey?access_token=" + percent_encoded(access_token.reveal()) +
      "&openid=" + percent_encoded(openid.reveal()) + "&signature=" + signature + "&sig_method=hmac_sha256";
  return send(
      {.call = WeChatCall::get_user_encrypt_key, .method = "POST", .target = std::move(target), .body = {}},
      deadline);
}

// Its parameters go into the query, whatever WeChat's table says (facts §2.1).
core::Task<core::WeChatReply> WeChatClient::get_charge_usage(core::AccessToken access_token,
                                                             std::int64_t spu_id, std::size_t offset,
                                                             core::SteadyTime deadline) {
  std::string target = "/wxa/charge/usage/get?access_token=" + percent_encoded(access_token.reveal()) +
                       "&spuId=" + std::to_string(spu_id) + "&offset=" + std::to_string(offset) +
                       "&limit=" + std::to_string(core::limits::usage_page_packs);
  return send(
      {.call = WeChatCall::get_charge_usage, .method = "GET", .target = std::move(target), .body = {}},
      deadline);
}

core::Task<core::WeChatReply> WeChatClient::get_recent_average(core::AccessToken access_token,
                                                               std::int64_t spu_id,
                                                               core::SteadyTime deadline) {
  std::string target =
      "/wxa/charge/usage/get_recent_average?access_token=" + percent_encoded(access_token.reveal()) +
      "&spuId=" + std::to_string(spu_id);
  return send(
      {.call = WeChatCall::get_recent_average, .method = "GET", .target = std::move(target), .body = {}},
      deadline);
}

core::Task<core::WeChatReply> WeChatClient::send(Outgoing outgoing, core::SteadyTime deadline) {
  auto const answer_time = std::chrono::duration_cast<core::milliseconds>(deadline - clock_.steady());
  return ask(nullptr, std::move(outgoing), answer_time, deadline);
}

core::Task<core::WeChatReply> WeChatClient::ask(std::unique_ptr<core::WeChatLine> line, Outgoing outgoing,
                                                core::milliseconds answer_time, core::SteadyTime deadline) {
  core::SteadyTime const begun = clock_.steady();
  WeChatCall const call = outgoing.call;
  core::WeChatReply reply = co_await send(std::move(line), std::move(outgoing), answer_time, deadline);
  on_call_(call, reply, clock_.steady() - begun);
  co_return reply;
}

core::Task<core::WeChatReply> WeChatClient::send(std::unique_ptr<core::WeChatLine> line, Outgoing outgoing,
                                                 core::milliseconds answer_time, core::SteadyTime deadline) {
  // The port hands out no other lines than ours.
  std::unique_ptr<Line> ours(
      static_cast<Line*>(line.release()));  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
  if (!ours || !ours->is_fit()) {
    if (ours) ours->set_unusable();
    Opened opened = co_await open(deadline);
    if (!opened) co_return not_sent(opened.error());
    ours = std::move(*opened);
  }
  if (clock_.steady() >= deadline) {
    co_return not_sent({.failure = core::TransportFailure::timeout, .detail = "no time left to ask"});
  }
  ours->set_unusable();
  ours->stream().expires_at(std::min(clock_.steady() + answer_time, deadline));
  WeChatAddress const& address = dialer_.address(ours->address());
  std::string const host = host_field_of(address);
  std::string const target = address.base_path + outgoing.target;
  HttpRequest const request{.method = outgoing.method, .host = host, .target = target, .body = outgoing.body};
  HttpAnswer answer = co_await send_request(ours->stream(), request);
  if (answer.keep_alive) ours->set_usable_since(clock_.steady());
  core::WeChatReply reply = reply_of(std::move(answer));
  observer_(reply);
  co_return reply;
}

core::Task<WeChatClient::Opened> WeChatClient::open(core::SteadyTime deadline) {
  Dialer::Dialed dialed = co_await dialer_.dial(deadline);
  ++(dialed ? opened_ : failed_);
  if (!dialed) co_return dialed.error();
  core::SteadyTime const now = clock_.steady();
  PooledLine line{
      .stream = std::move(dialed->stream), .address = dialed->address, .opened = now, .idle_since = now};
  co_return std::make_unique<Line>(std::move(line), pool_);
}

}  // namespace onetap::net
