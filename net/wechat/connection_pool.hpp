#pragma once

#include <list>
#include <optional>

#include "core/clock.hpp"
#include "net/stream.hpp"

namespace onetap::net {

/// A handshaken connection to WeChat between its requests.
struct PooledLine {
  Stream stream;
  std::size_t address = 0;  // which of the route's it leads to
  core::SteadyTime opened;
  core::SteadyTime idle_since;
};

/// Lines that wait for their next request, each for at most five seconds: one that the other side has
/// closed would make a request's fate unknown. After a minute they go, so that new connections follow the
/// names, and the order of the addresses.
class ConnectionPool {
 public:
  explicit ConnectionPool(core::Clock& clock) : clock_(clock) {}

  /// The line that was given back last, fit for a request; none if there isn't one.
  [[nodiscard]] std::optional<PooledLine> take();
  void give_back(PooledLine line);

  /// Young, not idle for too long, and alive at this moment.
  [[nodiscard]] bool is_fit(PooledLine& line) const;

  /// Closes what has waited too long.
  void prune();
  void close_all() { idle_.clear(); }
  [[nodiscard]] std::size_t size() const { return idle_.size(); }

 private:
  [[nodiscard]] static bool is_too_old(PooledLine const& line, core::SteadyTime now);

  core::Clock& clock_;
  std::list<PooledLine> idle_;
};

}  // namespace onetap::net
