#pragma once

#include <list>
#include <optional>

#include "core/clock.hpp"
#include "net/stream.hpp"

namespace onetap::net {

/// Handshaken connections to WeChat that wait for their next request, each for at most five seconds:
/// a line that the other side has closed would make a request's fate unknown.
class ConnectionPool {
 public:
  explicit ConnectionPool(core::Clock& clock) : clock_(clock) {}

  /// The line that was used last, alive and fresh; none if there isn't one.
  [[nodiscard]] std::optional<Stream> take();
  void give_back(Stream stream);

  /// Closes what has waited too long.
  void prune();
  void close_all() { idle_.clear(); }
  [[nodiscard]] std::size_t size() const { return idle_.size(); }

 private:
  struct Idle {
    Stream stream;
    core::SteadyTime since;
  };

  core::Clock& clock_;
  std::list<Idle> idle_;  // the newest at the end
};

}  // namespace onetap::net
