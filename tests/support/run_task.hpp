#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "core/task.hpp"

namespace onetap::tests {

namespace asio = boost::asio;

/// A coroutine that a test has started, and what became of it.
template <class Value>
class Started {
 public:
  Started(asio::io_context& loop, core::Task<Value> task) {
    auto keep = [outcome = outcome_](std::exception_ptr const& failure, Value value) {
      outcome->failure = failure;
      outcome->value.emplace(std::move(value));
    };
    asio::co_spawn(loop, std::move(task), std::move(keep));
  }

  [[nodiscard]] bool done() const { return outcome_->value.has_value(); }

  /// Throws what the coroutine threw; std::bad_optional_access when it has not ended.
  Value& value() {
    if (outcome_->failure) std::rethrow_exception(outcome_->failure);
    return outcome_->value.value();
  }

 private:
  struct Outcome {
    std::exception_ptr failure;
    std::optional<Value> value;
  };
  std::shared_ptr<Outcome> outcome_ = std::make_shared<Outcome>();
};

template <class Value>
[[nodiscard]] Started<Value> start(asio::io_context& loop, core::Task<Value> task) {
  return Started<Value>(loop, std::move(task));
}

}  // namespace onetap::tests
