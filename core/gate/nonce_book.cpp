#include "core/gate/nonce_book.hpp"

#include <algorithm>
#include <cstring>

#include "core/crypto/digest.hpp"
#include "core/limits.hpp"

namespace onetap::core {
namespace {

// A client that finds two nonces of its own with one short digest has refused itself, nobody else.
std::uint64_t short_digest(std::string_view nonce) {
  crypto::Digest const digest = crypto::sha256(nonce);
  std::uint64_t first_bytes = 0;
  std::memcpy(&first_bytes, digest.data(), sizeof first_bytes);
  return first_bytes;
}

}  // namespace

NonceVerdict NonceBook::spend(std::string_view nonce, std::int64_t sent_unix_s, WallTime now) {
  std::int64_t const now_unix_s = unix_seconds(now);
  std::erase_if(spent_, [now_unix_s](Spent const& spent) { return spent.until_unix_s < now_unix_s; });
  std::uint64_t const key = short_digest(nonce);
  if (std::ranges::find(spent_, key, &Spent::nonce) != spent_.end()) return NonceVerdict::replayed;
  if (spent_.size() >= limits::nonces_per_session_max) return NonceVerdict::full;
  spent_.push_back({.nonce = key, .until_unix_s = sent_unix_s + limits::timestamp_skew_max.count()});
  return NonceVerdict::fresh;
}

}  // namespace onetap::core
