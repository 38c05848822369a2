#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "core/exchange/ledger.hpp"

/// How a test speaks to any core::Ledger, whatever it stores things in.
namespace onetap::tests {

namespace asio = boost::asio;
namespace ledger = core::ledger;
using core::Cause;
using core::State;

/// A ledger whose clock the test moves. Replay window: 10 minutes.
class LedgerUnderTest {
 public:
  LedgerUnderTest() = default;
  LedgerUnderTest(LedgerUnderTest const&) = delete;
  LedgerUnderTest& operator=(LedgerUnderTest const&) = delete;
  virtual ~LedgerUnderTest() = default;

  [[nodiscard]] virtual core::Ledger& port() = 0;
  [[nodiscard]] virtual asio::io_context& loop() = 0;
  [[nodiscard]] virtual core::WallTime now() const = 0;
  /// Moves both clocks.
  virtual void pass(core::milliseconds time) = 0;
  /// Everything that becomes due by now has been done when it returns.
  virtual void maintain() = 0;
  /// Ends without closing, as by a kill, and starts again on what is durable.
  virtual void crash_and_restart() = 0;
  /// Sentences about broken invariants; none is right.
  [[nodiscard]] virtual std::vector<std::string> violations() = 0;
};

/// A new, empty ledger of the engine that the conformance suite is linked with.
[[nodiscard]] std::unique_ptr<LedgerUnderTest> make_ledger_under_test();

template <class Value>
Value await(asio::io_context& loop, core::Task<Value> task) {
  std::optional<Value> result;
  std::exception_ptr failure;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, Value value) {
    failure = error;
    if (!error) result.emplace(std::move(value));
  });
  loop.restart();
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(result).value();
}

inline void await(asio::io_context& loop, core::Task<> task) {
  std::exception_ptr failure;
  asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) { failure = error; });
  loop.restart();
  loop.run();
  if (failure) std::rethrow_exception(failure);
}

inline core::Digest digest_of(int number) {
  core::Digest digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest.at(i) = static_cast<unsigned char>(number * 31 + static_cast<int>(i) * 7);
  }
  digest.at(0) = static_cast<unsigned char>(number);
  digest.at(1) = static_cast<unsigned char>(number >> 8);
  return digest;
}

inline core::CallerKey caller(int number) { return {digest_of(1000 + number)}; }

/// A test's way to speak to a ledger.
class Speaker {
 public:
  explicit Speaker(LedgerUnderTest& tested) : tested_(tested) {}

  [[nodiscard]] core::Intent intent(int code, std::optional<core::CallerKey> who) const {
    core::Intent intent;
    intent.code_key = {digest_of(code)};
    intent.caller = who;
    intent.appid = "wx0000000000000001";
    intent.request_id = "request-" + std::to_string(code);
    intent.at = tested_.now();
    return intent;
  }

  ledger::BeginResult begin(int code, std::optional<core::CallerKey> who) {
    return await(tested_.loop(), tested_.port().begin(intent(code, who)));
  }

  ledger::FindResult find(int code, std::optional<core::CallerKey> who) {
    return await(tested_.loop(), tested_.port().find(intent(code, who)));
  }

  /// Begins what nothing stands against.
  core::AttemptId started(int code, std::optional<core::CallerKey> who) {
    ledger::BeginResult const result = begin(code, who);
    REQUIRE(std::holds_alternative<ledger::Started>(result));
    return std::get<ledger::Started>(result).attempt;
  }

  std::optional<core::AttemptId> resend(core::AttemptId refused) {
    core::Resend resend;
    resend.refused = refused;
    resend.errcode = 40001;
    resend.rid = "rid-refused";
    resend.at = tested_.now();
    return await(tested_.loop(), tested_.port().resend(std::move(resend)));
  }

  void settle(core::Settlement settlement) {
    settlement.at = tested_.now();
    await(tested_.loop(), tested_.port().settle(std::move(settlement)));
  }

  void settle_ok(core::AttemptId attempt) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = State::ok;
    settlement.errcode = 0;
    settlement.sealed_number = sealed();
    settlement.phone_mask = "138****8000";
    settlement.phone_key = digest_of(77);
    settle(std::move(settlement));
  }

  void settle_rejected(core::AttemptId attempt) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = State::rejected;
    settlement.errcode = 40029;
    settlement.rid = "rid-rejected";
    settle(std::move(settlement));
  }

  void settle_as(core::AttemptId attempt, State state, Cause cause) {
    core::Settlement settlement;
    settlement.attempt = attempt;
    settlement.state = state;
    settlement.cause = cause;
    settle(std::move(settlement));
  }

  ledger::RecordResult record(int blob, core::CallerKey user) {
    core::Decryption decryption;
    decryption.blob_key = {digest_of(blob)};
    decryption.user = user;
    decryption.appid = "wx0000000000000001";
    decryption.request_id = "request-" + std::to_string(blob);
    decryption.sealed_number = sealed();
    decryption.phone_mask = "138****8000";
    decryption.phone_key = digest_of(77);
    decryption.at = tested_.now();
    return await(tested_.loop(), tested_.port().record_decryption(std::move(decryption)));
  }

  bool rescue(int code, core::CallerKey who, int blob) {
    core::Rescue rescue;
    rescue.code_key = {digest_of(code)};
    rescue.caller = who;
    rescue.blob_key = {digest_of(blob)};
    rescue.sealed_number = sealed();
    rescue.sealed_blob_number = sealed_blob();
    rescue.phone_mask = "138****8000";
    rescue.phone_key = digest_of(77);
    rescue.at = tested_.now();
    return await(tested_.loop(), tested_.port().rescue(std::move(rescue)));
  }

  [[nodiscard]] static core::SealedBytes sealed_blob() { return {6, 7, 8, 9}; }
  [[nodiscard]] static core::SealedBytes sealed() { return {1, 2, 3, 4, 5}; }

 private:
  LedgerUnderTest& tested_;
};

template <class Result>
ledger::Stored stored(Result const& result) {
  REQUIRE(std::holds_alternative<ledger::Stored>(result));
  return std::get<ledger::Stored>(result);
}

inline bool is_recorded(ledger::RecordResult const& result) {
  return std::holds_alternative<ledger::Recorded>(result);
}

template <class Result>
bool is_not_yours(Result const& result, bool in_progress) {
  auto const* const not_yours = std::get_if<ledger::NotYours>(&result);
  return not_yours != nullptr && not_yours->in_progress == in_progress;
}

template <class Result>
bool is_charged(Result const& result) {
  auto const* const not_yours = std::get_if<ledger::NotYours>(&result);
  return not_yours != nullptr && not_yours->charged;
}

template <class Result>
bool is_fresh(Result const& result) {
  return std::holds_alternative<ledger::Fresh>(result);
}

template <class Result>
bool is_started(Result const& result, int number) {
  auto const* const started = std::get_if<ledger::Started>(&result);
  return started != nullptr && started->attempt.number == number;
}

}  // namespace onetap::tests
