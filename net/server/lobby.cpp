#include "net/server/lobby.hpp"

#include <boost/system/error_code.hpp>
#include <cassert>
#include <utility>

namespace onetap::net {

using boost::system::error_code;

Lobby::Lobby(core::Clock& clock, core::SteadyTime::duration patience, OnWord on_word)
    : clock_(clock), patience_(patience), on_word_(std::move(on_word)) {}

Lobby::~Lobby() { assert(waiting_.empty() && "a lobby has been left before it goes"); }

void Lobby::enter(Newcomer newcomer) {
  newcomer.deadline = clock_.steady() + patience_;
  auto const place = waiting_.insert(waiting_.end(), std::move(newcomer));
  place->socket.async_wait(asio::socket_base::wait_read,
                           [this, place](error_code /*error*/) { leave(place); });
}

// The one way out: closing a socket ends its wait.
void Lobby::leave(Waiting::iterator newcomer) {
  Newcomer leaving = std::move(*newcomer);
  waiting_.erase(newcomer);
  error_code ignored;
  bool const has_spoken = leaving.socket.available(ignored) > 0;  // else it has hung up, or was closed
  if (has_spoken) on_word_(std::move(leaving));
  if (closed_ && waiting_.empty()) ended_.notify_all();
}

core::Task<> Lobby::run() {
  co_await core::shield_from_cancellation();
  while (!closed_ || !waiting_.empty()) {
    core::SteadyTime const due = next_deadline();
    bool const ended = co_await clock_.wait(ended_, due);
    if (!ended) send_away(due);
  }
}

core::SteadyTime Lobby::next_deadline() const {
  for (Newcomer const& newcomer : waiting_) {
    if (newcomer.socket.is_open()) return newcomer.deadline;  // else it is about to leave
  }
  return clock_.steady() + patience_;  // nobody will have waited too long before that
}

void Lobby::send_away(core::SteadyTime due) {
  error_code ignored;
  for (Newcomer& newcomer : waiting_) {
    if (newcomer.deadline > due) return;
    newcomer.socket.close(ignored);
  }
}

void Lobby::close() {
  closed_ = true;
  send_away(core::SteadyTime::max());
  if (waiting_.empty()) ended_.notify_all();
}

}  // namespace onetap::net
