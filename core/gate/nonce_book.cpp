#include "core/gate/nonce_book.hpp"

#include <algorithm>

#include "core/crypto/sip_hash.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

// A client that finds two nonces of its own with one short digest has refused itself, nobody else: the book
// is its session's, and only signed nonces come here. So the key need not be secret.
std::uint64_t short_digest(std::string_view nonce) { return crypto::sip_hash({}, nonce); }

std::size_t room_for(NonceUse use) {
  std::size_t const kept = use == NonceUse::code ? 0 : limits::nonces_kept_for_codes;
  return limits::nonces_per_session_max - kept;
}

}  // namespace

NonceVerdict NonceBook::look(std::string_view nonce, NonceUse use, WallTime now) const {
  std::uint64_t const key = short_digest(nonce);
  auto const is_it = [&](Spent const& spent) { return spent.nonce == key && !spent.is_old(now); };
  if (std::ranges::any_of(spent_, is_it)) return NonceVerdict::replayed;
  return until_room(use, now) == seconds(0) ? NonceVerdict::fresh : NonceVerdict::full;
}

void NonceBook::spend(std::string_view nonce, std::int64_t sent_unix_s, WallTime now) {
  std::erase_if(spent_, [now](Spent const& spent) { return spent.is_old(now); });
  spent_.push_back(
      {.nonce = short_digest(nonce), .until_unix_s = sent_unix_s + limits::timestamp_skew_max.count()});
}

seconds NonceBook::until_room(NonceUse use, WallTime now) const {
  std::size_t const room = room_for(use);
  if (spent_.size() < room) return seconds(0);
  std::vector<std::int64_t> ends;
  ends.reserve(spent_.size());
  for (Spent const& spent : spent_) {
    if (!spent.is_old(now)) ends.push_back(spent.until_unix_s);
  }
  if (ends.size() < room) return seconds(0);
  // So many have to end that one place is left.
  auto const last_to_end = ends.begin() + static_cast<std::ptrdiff_t>(ends.size() - room);
  std::ranges::nth_element(ends, last_to_end);
  WallTime const forgotten = wall_time_of_unix_ms((*last_to_end + 1) * 1000);
  return std::chrono::ceil<seconds>(forgotten - now);
}

void NonceBook::forget_old(WallTime now) {
  std::erase_if(spent_, [now](Spent const& spent) { return spent.is_old(now); });
  if (spent_.capacity() > 2 * spent_.size()) spent_.shrink_to_fit();
}

}  // namespace onetap::core
