#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/mini_program.hpp"
#include "core/clock.hpp"
#include "net/certificate.hpp"
#include "storage/ledger_thread.hpp"

namespace onetap::app {

/// How the server is right now, as far as memory tells.
struct LiveFacts {
  core::WallTime now;
  core::SteadyTime steady_now;
  core::WallTime started;
  bool sandbox = false;
  std::vector<std::string> unreadiness;  // empty: ready
  bool ledger_is_writable = false;
  storage::LedgerStatistics ledger;
  std::optional<net::CertificateFacts> certificate;  // none: no TLS of its own
  std::size_t connections = 0;
  MiniPrograms const& mini_programs;
};

/// As the text of a JSON object, for GET /api/live. Its `revision` changes with whatever was committed to the
/// ledger, so that a page knows when to read anew.
[[nodiscard]] std::string live_status(LiveFacts const& facts);

}  // namespace onetap::app
