#pragma once

#include "core/clock.hpp"
#include "core/exchange/answer.hpp"
#include "core/exchange/ledger.hpp"
#include "core/exchange/phone_result.hpp"

namespace onetap::core {

/// Port: who counts what becomes of one mini program's codes. Called on the loop, on every code's way: costs
/// next to nothing and never throws.
class ExchangeObserver {
 public:
  ExchangeObserver() = default;
  ExchangeObserver(ExchangeObserver const&) = delete;
  ExchangeObserver& operator=(ExchangeObserver const&) = delete;
  virtual ~ExchangeObserver() = default;

  /// An exchange is over, and the ledger has it, so long after its code came: once for each consumption's
  /// settlement, with WeChat's last answer.
  virtual void settled(Kind kind, State state, Answer const& answer, SteadyTime::duration took) = 0;

  /// A caller is told this of a code; replays and refusals, too.
  virtual void answered(PhoneResult const& result) = 0;
};

}  // namespace onetap::core
