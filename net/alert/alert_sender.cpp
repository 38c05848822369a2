#include "net/alert/alert_sender.hpp"

#include <algorithm>
#include <utility>

#include "core/alarm/alarm_message.hpp"
#include "core/json.hpp"
#include "core/limits.hpp"

namespace onetap::net {
namespace {

namespace limits = core::limits;

// So many fit into one of WeCom's messages.
constexpr std::size_t alarms_a_message = 8;

std::string host_field(AlertTarget const& target) {
  bool const is_ipv6 = target.host.find(':') != std::string::npos;
  std::string host = is_ipv6 ? "[" + target.host + "]" : target.host;
  bool const is_usual = target.port == (target.tls ? 443 : 80);
  return is_usual ? host : host + ":" + std::to_string(target.port);
}

core::seconds backoff(std::size_t tries) {
  core::seconds pause = limits::alert_backoff_min;
  for (std::size_t i = 1; i < tries; ++i) pause = std::min(2 * pause, limits::alert_backoff_max);
  return pause;
}

}  // namespace

AlertSender::AlertSender(asio::any_io_executor executor, Services services, TlsContext tls,
                         AlertTarget target, Lookup lookup)
    : executor_(std::move(executor)),
      services_(std::move(services)),
      tls_(std::move(tls)),
      target_(std::move(target)),
      names_(services_.clock, {{.host = target_.host, .port = target_.port}}, std::move(lookup)) {}

void AlertSender::tell(core::AlarmNews const& news) {
  if (news.what == core::AlarmNews::What::replaced) return;
  if (queue_.size() >= limits::alerts_queued_max) {
    queue_.pop_front();
    ++dropped_;
  }
  queue_.push_back(news);
  wake_.notify_all();
}

bool AlertSender::use(AlertTarget target) {
  if (target.host != target_.host || target.port != target_.port || target.tls != target_.tls) return false;
  target_ = std::move(target);
  return true;
}

core::Task<> AlertSender::run() {
  co_await core::shield_from_cancellation();
  while (!stopping_) {
    bool const has_work = !queue_.empty() || !under_way_.empty();
    bool const is_due = services_.clock.steady() >= next_;
    if (!has_work || !is_due) {
      core::SteadyTime const until = has_work ? next_ : core::SteadyTime::max();
      [[maybe_unused]] bool const woken = co_await services_.clock.wait(wake_, until);
      continue;
    }
    if (under_way_.empty()) take_next();
    Failure const failure = co_await send();
    if (stopping_) break;
    if (failure) {
      failed(*failure);
    } else {
      taken();
    }
  }
}

void AlertSender::stop() {
  stopping_ = true;
  names_.stop();
  if (stream_ != nullptr) stream_->expires_at(services_.clock.steady());
  wake_.notify_all();
}

void AlertSender::take_next() {
  if (dropped_ > 0) services_.log.warn("alerts_dropped", {{"count", std::exchange(dropped_, 0)}});
  std::size_t const most = target_.format == AlertFormat::wecom ? alarms_a_message : 1;
  while (!queue_.empty() && under_way_.size() < most) {
    under_way_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  tries_ = 0;
}

core::Task<AlertSender::Failure> AlertSender::send() {
  core::SteadyTime const deadline = services_.clock.steady() + limits::alert_call_time;
  if (names_.endpoints(0).empty()) [[maybe_unused]]
    bool const news = co_await names_.wait_for_news(deadline);
  if (stopping_) co_return "stopping";
  Endpoints const endpoints = names_.endpoints(0);
  std::string reason = endpoints.empty() ? "no address: " + names_.reason(0) : std::string();
  for (tcp::endpoint const& endpoint : endpoints) {
    Stream stream{tcp::socket(executor_)};
    stream.expires_at(deadline);
    stream_ = &stream;
    error_code const connected = co_await stream.connect(endpoint);
    if (!connected) {
      Failure failure = co_await send_on(stream);
      stream_ = nullptr;
      co_return failure;
    }
    stream_ = nullptr;
    reason = connected.message();
    if (stopping_) break;
  }
  co_return reason;
}

core::Task<AlertSender::Failure> AlertSender::send_on(Stream& stream) {
  if (target_.tls) {
    stream.start_tls(tls_, target_.host);
    error_code const handshaken = co_await stream.handshake();
    if (handshaken) co_return stream.tls_error().empty() ? handshaken.message() : stream.tls_error();
  }
  AlertTarget const target = target_;  // it may be changed meanwhile
  std::string const text = body();
  std::string const host = host_field(target);
  std::string signature;
  if (!target.secret.empty())
    signature = core::webhook_signature(target.secret.reveal(), services_.clock.wall(), text);
  HttpRequest request{.method = "POST", .host = host, .target = target.path.reveal(), .body = text};
  if (!signature.empty()) request.headers.emplace_back("Onetap-Signature", signature);
  HttpAnswer const answer = co_await send_request(stream, std::move(request));
  co_return judge(answer);
}

std::string AlertSender::body() const {
  return target_.format == AlertFormat::wecom ? core::wecom_body(under_way_)
                                              : core::webhook_body(under_way_.front());
}

AlertSender::Failure AlertSender::judge(HttpAnswer const& answer) const {
  if (answer.delivery != core::Delivery::answered) return answer.failure_detail;
  constexpr int hundred = 100;
  if (answer.status / hundred != 2) return "HTTP status " + std::to_string(answer.status);
  if (target_.format != AlertFormat::wecom) return std::nullopt;
  // WeCom says what is wrong in an answer of 200.
  auto const read = core::parse_wechat_json(answer.body);
  if (!read) return "an answer that is not WeCom's";
  auto const errcode = core::wechat_integer_member(*read, "errcode");
  if (!errcode) return "an answer that is not WeCom's";
  if (*errcode != 0) return "errcode " + std::to_string(*errcode);
  return std::nullopt;
}

void AlertSender::taken() {
  for (core::AlarmNews const& news : under_way_) {
    services_.log.info("alert_sent", {{"id", news.alarm.id}, {"host", target_.host}});
    if (news.what == core::AlarmNews::What::raised) services_.sent(news.alarm.id);
  }
  under_way_.clear();
  if (target_.format == AlertFormat::wecom) next_ = services_.clock.steady() + limits::wecom_rhythm;
}

void AlertSender::failed(std::string const& what) {
  ++tries_;
  core::seconds const pause = backoff(tries_);
  next_ = services_.clock.steady() + pause;
  if (tries_ < limits::alert_tries_max) {
    services_.log.warn(
        "alert_failed",
        {{"host", target_.host}, {"what", what}, {"try", tries_}, {"pause_s", std::int64_t{pause.count()}}});
    return;
  }
  for (core::AlarmNews const& news : under_way_) {
    services_.log.error("alert_given_up", {{"id", news.alarm.id},
                                           {"alarm", core::to_string(news.alarm.subject.name)},
                                           {"host", target_.host},
                                           {"what", what}});
  }
  under_way_.clear();
}

}  // namespace onetap::net
