#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/repetition.hpp"
#include "net/message.hpp"

namespace onetap::net {

/// The log's lines about answered requests.
class RequestLog {
 public:
  /// Clock and log outlive it.
  RequestLog(core::Clock const& clock, core::Log const& log) : clock_(clock), log_(log) {}

  /// Any stranger can have these by the thousand: of those with the same status and problem one a minute is
  /// written as `info`, with the number of `repeats` since the one before; the others are `debug`.
  enum class Kind { of_its_own, one_of_many };

  struct Entry {
    std::string_view listener;
    Request const& request;
    Response const& response;
    bool answered = true;  // false: the client did not take the answer
    Kind kind = Kind::of_its_own;
  };
  void write(Entry const& entry);

 private:
  core::Clock const& clock_;
  core::Log const& log_;
  std::map<std::pair<int, std::string_view>, core::Repetition> repeats_;  // by status and problem: few
};

}  // namespace onetap::net
