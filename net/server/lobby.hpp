#pragma once

#include <cstddef>
#include <functional>
#include <list>

#include "core/clock.hpp"
#include "core/task.hpp"
#include "net/server/newcomer.hpp"

namespace onetap::net {

/// Where accepted clients wait until they say something, at the price of a socket and one wait on it each:
/// who says nothing, or leaves without a word, has cost no coroutine, no timer and no TLS. Lives until run()
/// has returned.
class Lobby {
 public:
  /// Takes over the newcomer whose first byte can be read from its socket.
  using OnWord = std::function<void(Newcomer)>;

  /// Each newcomer may wait for `patience`. `clock` outlives it.
  Lobby(core::Clock& clock, core::SteadyTime::duration patience, OnWord on_word);
  Lobby(Lobby const&) = delete;
  Lobby& operator=(Lobby const&) = delete;
  ~Lobby();

  /// Sets the newcomer's deadline. Not after shut().
  void enter(Newcomer newcomer);

  /// Closes whoever has waited too long, until shut() was called and the last one has left.
  [[nodiscard]] core::Task<> run();

  /// Closes who has waited longest without a word; false where there is nobody.
  bool send_oldest_away();

  /// Nobody enters any more; who waits may still speak.
  void shut();

  /// Closes all who wait, after shut().
  void send_all_away();

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }

 private:
  using Waiting = std::list<Newcomer>;

  void wait(Waiting::iterator newcomer);
  void leave(Waiting::iterator newcomer);
  [[nodiscard]] core::SteadyTime next_deadline() const;
  void send_away(core::SteadyTime due);

  core::Clock& clock_;
  core::SteadyTime::duration patience_;
  OnWord on_word_;
  Waiting waiting_;  // in the order of their deadlines, for all have the same patience
  bool shut_ = false;
  core::Signal ended_;
};

}  // namespace onetap::net
