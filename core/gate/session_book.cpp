#include "core/gate/session_book.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/limits.hpp"

namespace onetap::core {

std::int64_t row_of(CallerKey const& user) {
  std::int64_t row = 0;
  std::memcpy(&row, user.digest.data(), sizeof row);
  return row;
}

std::size_t SessionBook::HashOfId::operator()(SessionId const& id) const {
  std::size_t first_bytes = 0;  // of a SHA-256 over random bits: as good as any hash
  std::memcpy(&first_bytes, id.token_digest.data(), sizeof first_bytes);
  return first_bytes;
}

void SessionBook::load(std::vector<SessionRow> rows, AllowedAppids const& served) {
  std::erase_if(rows, [&](SessionRow const& row) { return !is_served(row.appid, served); });
  std::ranges::sort(rows, {}, &SessionRow::used);
  for (SessionRow& row : rows)
    insert({.row = std::move(row), .signing_key = std::nullopt, .nonces = NonceBook()});
}

void SessionBook::open(Session session) { insert(std::move(session)); }

void SessionBook::insert(Session session) {
  std::vector<SessionId>& of_user = by_user_[session.row.user];
  if (of_user.size() >= limits::sessions_per_user_max) {
    auto const used = [this](SessionId const& id) { return by_id_.at(id).session.row.used; };
    end(by_id_.find(*std::ranges::min_element(of_user, {}, used)));
  } else if (by_id_.size() >= limits::sessions_max) {
    end(by_id_.find(by_use_.front()));
  }
  SessionId const id = session.row.id;
  by_user_[session.row.user].push_back(id);
  by_use_.push_back(id);
  WallTime const used = session.row.used;
  by_id_.emplace(
      id, Entry{.session = std::move(session), .stored_use = used, .in_order = std::prev(by_use_.end())});
}

bool SessionBook::is_over(SessionRow const& row, WallTime now) const {
  return now >= row.used + life_.idle || now >= row.opened + life_.longest;
}

Result<std::reference_wrapper<Session const>, SessionFault> SessionBook::look(SessionId const& id,
                                                                              WallTime now) const {
  auto const found = by_id_.find(id);
  if (found == by_id_.end()) return SessionFault::unknown;
  Session const& session = found->second.session;
  if (is_over(session.row, now)) return SessionFault::expired;
  return std::cref(session);
}

Result<std::reference_wrapper<Session>, SessionFault> SessionBook::use(SessionId const& id, WallTime now) {
  auto const found = by_id_.find(id);
  if (found == by_id_.end()) return SessionFault::unknown;
  Entry& entry = found->second;
  if (is_over(entry.session.row, now)) {
    end(found);
    return SessionFault::expired;
  }
  entry.session.row.used = now;
  by_use_.splice(by_use_.end(), by_use_, entry.in_order);
  if (!entry.may_have_nonces) forget_nonces_later(entry, now);
  if (now - entry.stored_use >= limits::session_touch_interval) {
    entry.stored_use = now;
    changes_.used.emplace_back(found->first, now);
  }
  return std::ref(entry.session);
}

void SessionBook::forget_user(CallerKey const& user) {
  auto const found = by_user_.find(user);
  if (found == by_user_.end()) return;
  std::vector<SessionId> const ids = found->second;
  for (SessionId const& id : ids) remove(by_id_.find(id));
}

SessionChanges SessionBook::take_changes(WallTime now) {
  for (std::size_t ended = 0; ended < limits::session_changes_at_once && is_oldest_over(now); ++ended)
    end(by_id_.find(by_use_.front()));
  forget_old_nonces(now);
  return std::exchange(changes_, {});
}

bool SessionBook::is_behind(WallTime now) const {
  bool const nonces_are_due = !nonces_to_forget_.empty() && nonces_to_forget_.front().due <= now;
  return nonces_are_due || is_oldest_over(now);
}

bool SessionBook::is_oldest_over(WallTime now) const {
  return !by_use_.empty() && is_over(by_id_.find(by_use_.front())->second.session.row, now);
}

// When the first of them can have become old.
void SessionBook::forget_nonces_later(Entry& entry, WallTime now) {
  entry.may_have_nonces = true;
  nonces_to_forget_.push_back(
      {.due = now + limits::timestamp_skew_max + seconds(1), .id = entry.session.row.id});
}

void SessionBook::forget_old_nonces(WallTime now) {
  for (std::size_t looked = 0; looked < limits::session_changes_at_once; ++looked) {
    if (nonces_to_forget_.empty() || nonces_to_forget_.front().due > now) return;
    auto const found = by_id_.find(nonces_to_forget_.front().id);
    nonces_to_forget_.pop_front();
    if (found == by_id_.end()) continue;
    Entry& entry = found->second;
    entry.session.nonces.forget_old(now);
    entry.may_have_nonces = false;
    if (entry.session.nonces.size() > 0) forget_nonces_later(entry, now);
  }
}

void SessionBook::tell_again(std::vector<SessionId> ended) {
  std::ranges::move(ended, std::back_inserter(changes_.ended));
}

void SessionBook::end(Entries::iterator entry) {
  changes_.ended.push_back(entry->first);
  remove(entry);
}

void SessionBook::remove(Entries::iterator entry) {
  CallerKey const user = entry->second.session.row.user;
  auto const of_user = by_user_.find(user);
  std::erase(of_user->second, entry->first);
  if (of_user->second.empty()) by_user_.erase(of_user);
  by_use_.erase(entry->second.in_order);
  by_id_.erase(entry);
}

}  // namespace onetap::core
