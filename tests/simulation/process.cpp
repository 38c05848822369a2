#include "tests/simulation/process.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace onetap::simulation {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_time = 3s;

void rethrow(std::exception_ptr const& failure) {
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Process::Process(Machine const& machine)
    : clock_(machine.clock),
      log_([&witness = machine.witness](core::LogLevel, std::string_view line) { witness.log_line(line); },
           core::LogLevel::warn, [&clock = machine.clock] { return clock.wall(); }),
      model_(machine.wechat, skew_),
      wechat_(model_, machine.bugs),
      wechat_tokens_(wechat_, account_, core::TokenEndpoint::stable),
      token_source_(wechat_tokens_, machine.bugs),
      tokens_({.clock = machine.clock,
               .source = token_source_,
               .store = machine.tokens,
               .keyring = machine.keyring,
               .log = log_},
              appid, answer_time,
              [&random = machine.random] { return static_cast<double>(random.below(1000)) / 1000; }),
      control_({.clock = machine.clock, .wechat = wechat_, .tokens = tokens_, .skew = skew_, .log = log_},
               appid),
      service_({.clock = machine.clock,
                .ledger = machine.ledger,
                .sessions = machine.sessions,
                .wechat = wechat_,
                .tokens = tokens_,
                .calls = control_,
                .keyring = machine.keyring,
                .log = log_},
               answer_time) {
  if (!machine.tokens.kept.empty()) tokens_.restore(machine.tokens.kept.back());
  asio::co_spawn(loop_, tokens_.run(), rethrow);
  if (!machine.bugs.has(Bug::prober_not_started)) asio::co_spawn(loop_, control_.run(), rethrow);
  run();
}

Process::~Process() {
  control_.stop();  // it points to those who wait for a turn, and they are about to go
  clock_.end_process();
  run();
}

void Process::consume(core::ConsumeRequest request, asio::cancellation_signal& left, Heard heard) {
  asio::co_spawn(loop_, service_.consume(std::move(request)),
                 asio::bind_cancellation_slot(left.slot(), std::move(heard)));
}

}  // namespace onetap::simulation
