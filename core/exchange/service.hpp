#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "core/clock.hpp"
#include "core/crypto/keyring.hpp"
#include "core/exchange/call_control.hpp"
#include "core/exchange/decryption.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/machine.hpp"
#include "core/exchange/observer.hpp"
#include "core/exchange/phone_result.hpp"
#include "core/exchange/problem.hpp"
#include "core/exchange/wechat.hpp"
#include "core/log.hpp"
#include "core/token/keeper.hpp"

namespace onetap::core {

/// A code as a page or a backend presents it.
struct ConsumeRequest {
  Code code;
  std::string appid;
  Kind kind = Kind::quick;
  std::optional<CallerKey> caller;  // the user where there is one, else by Idempotency-Key
  std::string request_id;
  std::string scene;
  std::string out_id;
  ClientEnv client_env = ClientEnv::unknown;
  std::optional<CallerKey> user{};            // of a session, or whom a backend names
  OpenId openid{};                            // told to WeChat; empty: not
  std::optional<EncryptedPhone> encrypted{};  // rescues a lost answer, where there is a user
};

/// One code, one charge, one answer: drives the exchange machine against ledger and WeChat, with at most
/// one exchange of a code under way.
class ConsumeService {
 public:
  struct Ports {
    Clock& clock;
    Ledger& ledger;
    SessionStore& sessions;
    WeChat& wechat;
    TokenKeeper& tokens;
    CallControl& calls;
    crypto::Keyring const& keyring;
    Log& log;
    /// A code was not made up: it has brought a number, or may have.
    std::function<void(Kind, std::optional<CallerKey> const&)> charged =
        [](Kind, std::optional<CallerKey> const&) {};
    ExchangeObserver* observer = nullptr;  // null: nobody counts
    /// alarm_of() an answer of WeChat's, beside its line in the log.
    std::function<void(std::string_view alarm, Answer const&)> alarmed = [](std::string_view, Answer const&) {
    };
  };

  ConsumeService(Ports ports, milliseconds wechat_answer_time);

  /// Runs to its end whatever becomes of the caller: a client that leaves finds its answer stored.
  [[nodiscard]] Task<PhoneResult> consume(ConsumeRequest request);

  /// Until then every code is answered WECHAT_UNAVAILABLE: a restored ledger does not know the youngest.
  void refuse_until(SteadyTime time) { refuse_until_ = time; }
  [[nodiscard]] bool refuses() const { return ports_.clock.steady() < refuse_until_; }

  [[nodiscard]] std::size_t in_flight() const { return flights_.size(); }

 private:
  struct Flight;
  struct Exchange;

  [[nodiscard]] Task<PhoneResult> answer(ConsumeRequest request);
  [[nodiscard]] Task<PhoneResult> lead(ConsumeRequest request, CodeKey code_key);
  [[nodiscard]] Task<PhoneResult> follow(std::shared_ptr<Flight> flight);

  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Find action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Prepare action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Begin action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Call action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::RefreshToken action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Resend action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Settle action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Rescue action);
  [[nodiscard]] Task<ExchangeEvent> perform(Exchange& exchange, action::Reply action);

  [[nodiscard]] Task<std::optional<Unready>> get_token(Exchange& exchange, SteadyTime deadline);
  [[nodiscard]] Task<std::optional<Unready>> get_line(Exchange& exchange);
  [[nodiscard]] Task<> find_reason(Exchange& exchange);
  [[nodiscard]] PhoneResult present(Exchange const& exchange, action::Reply const& reply);
  void log_exchange(Exchange const& exchange, action::Settle const& settled) const;
  void log_trace(Exchange const& exchange, ledger::Trace const& trace) const;
  void log_rescue(Exchange const& exchange, std::int64_t consumption, std::string_view outcome) const;

  Ports ports_;
  milliseconds wechat_answer_time_;
  SteadyTime refuse_until_ = SteadyTime::min();
  std::map<CodeKey, std::shared_ptr<Flight>> flights_;
};

}  // namespace onetap::core
