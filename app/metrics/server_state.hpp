#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/billing/quota_standing.hpp"
#include "core/clock.hpp"
#include "core/exchange/call_control.hpp"
#include "core/push/push_receiver.hpp"
#include "core/token/keeper.hpp"
#include "net/server/load_monitor.hpp"
#include "net/wechat/wechat_client.hpp"
#include "storage/ledger_thread.hpp"

namespace onetap::app {

class Samples;

/// How a mini program stands at one moment.
struct MiniProgramState {
  std::string_view appid;
  bool serves = false;  // an exchange would not fail for its own reasons
  std::size_t exchanges_in_flight = 0;
  core::CallStatistics calls;
  core::TokenStatistics token;
  std::array<std::optional<core::QuotaFigures>, 2> quota{};  // quick, realtime
};

/// How the server stands at one moment, as far as memory tells.
struct ServerState {
  core::SteadyTime now{};
  bool ready = false;
  bool ledger_writable = false;
  std::vector<MiniProgramState> mini_programs;
  storage::LedgerStatistics ledger;
  net::LineStatistics lines;
  std::size_t public_connections = 0;
  std::size_t operator_connections = 0;
  std::size_t sessions = 0;
  net::Shedding shedding = net::Shedding::none;
  core::PushCounts pushes;
  std::optional<core::WallTime> certificate_until{};  // none: plain HTTP
  std::optional<core::seconds> clock_offset{};        // WeChat's clock less ours; none: it is not known
};

void sample(ServerState const& state, Samples& samples);

}  // namespace onetap::app
