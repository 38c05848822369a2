#include "net/server/lobby.hpp"

#include <sys/socket.h>

#include <boost/system/error_code.hpp>
#include <cassert>
#include <cerrno>
#include <utility>

namespace onetap::net {

using boost::system::error_code;

namespace {

enum class Heard { word, nothing, end };

// Looks without taking. That a wait has ended proves nothing: Asio ends one, too, when an event of the socket
// that had this place in its table before arrives late.
Heard listen(asio::ip::tcp::socket& socket) {
  if (!socket.is_open()) return Heard::end;
  char byte = 0;
  ssize_t const size = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (size > 0) return Heard::word;
  bool const is_waiting = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return is_waiting ? Heard::nothing : Heard::end;
}

}  // namespace

Lobby::Lobby(core::Clock& clock, core::SteadyTime::duration patience, OnWord on_word)
    : clock_(clock), patience_(patience), on_word_(std::move(on_word)) {}

Lobby::~Lobby() { assert(waiting_.empty() && "a lobby has been left before it goes"); }

void Lobby::enter(Newcomer newcomer) {
  newcomer.deadline = clock_.steady() + patience_;
  wait(waiting_.insert(waiting_.end(), std::move(newcomer)));
}

void Lobby::wait(Waiting::iterator newcomer) {
  newcomer->socket.async_wait(asio::socket_base::wait_read,
                              [this, newcomer](error_code /*error*/) { leave(newcomer); });
}

// The one way out: closing a socket ends its wait.
void Lobby::leave(Waiting::iterator newcomer) {
  Heard const heard = listen(newcomer->socket);
  if (heard == Heard::nothing) return wait(newcomer);
  Newcomer leaving = std::move(*newcomer);
  waiting_.erase(newcomer);
  if (heard == Heard::word) on_word_(std::move(leaving));
  if (shut_ && waiting_.empty()) ended_.notify_all();
}

core::Task<> Lobby::run() {
  co_await core::shield_from_cancellation();
  while (!shut_ || !waiting_.empty()) {
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

bool Lobby::send_oldest_away() {
  for (Newcomer& newcomer : waiting_) {
    error_code error;
    bool const is_silent = newcomer.socket.is_open() && newcomer.socket.available(error) == 0 && !error;
    if (!is_silent) continue;  // about to leave
    newcomer.socket.close(error);
    return true;
  }
  return false;
}

void Lobby::shut() {
  shut_ = true;
  if (waiting_.empty()) ended_.notify_all();
}

void Lobby::send_all_away() { send_away(core::SteadyTime::max()); }

}  // namespace onetap::net
