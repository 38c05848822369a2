#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/alarm/alarm.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "net/alert/alert_target.hpp"
#include "net/stream.hpp"
#include "net/tls_context.hpp"
#include "net/wechat/https_client.hpp"
#include "net/wechat/resolver_cache.hpp"

namespace onetap::net {

/// Brings alarms to their receiver, one request after the other. What fails is tried again, ever more slowly,
/// up to limits::alert_tries_max times; limits::alerts_queued_max wait, and the oldest give way. Nobody waits
/// for it. A request bears `Onetap-Signature: t=<unix s>,v1=<hex HMAC-SHA256 of "t.body">`. An alarm may come
/// twice (its id tells): an answer that was lost is no answer.
class AlertSender final : public core::AlarmReceiver {
 public:
  struct Services {
    core::Clock& clock;
    core::Log& log;
    std::function<void(std::string const& id)> sent;  // an alarm that was raised has been taken
  };

  /// `tls` is a client's.
  AlertSender(asio::any_io_executor executor, Services services, TlsContext tls, AlertTarget target,
              Lookup lookup);

  /// At once; it is sent later.
  void tell(core::AlarmNews const& news) override;

  /// Path, format and secret count from the next request on; where another host is named, false, and nothing
  /// changes.
  [[nodiscard]] bool use(AlertTarget target);

  /// Sends until stop().
  [[nodiscard]] core::Task<> run();
  /// Keeps the receiver's address fresh, until stop(); a resolver that is asked cannot be cancelled.
  [[nodiscard]] core::Task<> resolve() { return names_.run(); }
  /// What is not sent by now stays unsent.
  void stop();

  [[nodiscard]] std::size_t queued() const { return queue_.size() + under_way_.size(); }

 private:
  using Failure = std::optional<std::string>;  // none: it was taken

  void take_next();
  [[nodiscard]] core::Task<Failure> send();
  [[nodiscard]] core::Task<Failure> send_on(Stream& stream);
  void taken();
  void failed(std::string const& what);
  [[nodiscard]] std::string body() const;
  [[nodiscard]] Failure judge(HttpAnswer const& answer) const;

  asio::any_io_executor executor_;
  Services services_;
  TlsContext tls_;
  AlertTarget target_;
  ResolverCache names_;
  std::deque<core::AlarmNews> queue_;
  std::vector<core::AlarmNews> under_way_;  // of one request
  std::size_t tries_ = 0;                   // of it
  std::size_t dropped_ = 0;                 // since the log was told
  core::SteadyTime next_ = core::SteadyTime::min();
  Stream* stream_ = nullptr;  // while a request is under way
  bool stopping_ = false;
  core::Signal wake_;
};

}  // namespace onetap::net
