#include "core/gate/nonce_book.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <map>
#include <string>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

constexpr std::int64_t start = 1'790'000'000;
constexpr auto capacity = static_cast<std::int64_t>(limits::nonces_per_session_max);

WallTime at_second(std::int64_t unix_s) { return wall_time_of_unix_ms(unix_s * 1000); }
std::string nonce(std::int64_t number) { return "nonce-of-a-test-" + std::to_string(number); }

/// As a request does; of one that is fresh, the nonce is then spent.
NonceVerdict spend(NonceBook& book, std::string_view sent_nonce, std::int64_t sent_unix_s, WallTime now,
                   NonceUse use = NonceUse::code) {
  NonceVerdict const verdict = book.look(sent_nonce, use, now);
  if (verdict == NonceVerdict::fresh) book.spend(sent_nonce, sent_unix_s, now);
  return verdict;
}

/// As many as there is room for, all sent at `sent_unix_s` and now.
void fill(NonceBook& book, std::int64_t sent_unix_s = start) {
  for (std::int64_t i = 0; i < capacity; ++i)
    REQUIRE(spend(book, nonce(i), sent_unix_s, at_second(start)) == NonceVerdict::fresh);
}

TEST_CASE("a nonce is good once") {
  NonceBook book;
  CHECK(spend(book, "0123456789abcdef", start, at_second(start)) == NonceVerdict::fresh);
  CHECK(spend(book, "0123456789abcdef", start, at_second(start)) == NonceVerdict::replayed);
  CHECK(spend(book, "0123456789abcdef", start + 1, at_second(start + 1)) == NonceVerdict::replayed);
  CHECK(spend(book, "0123456789abcdeF", start, at_second(start)) == NonceVerdict::fresh);
}

TEST_CASE("a nonce is kept for as long as its timestamp could be accepted") {
  for (std::int64_t const sent : {start - 300, start, start + 300}) {
    CAPTURE(sent);
    NonceBook book;
    CHECK(spend(book, "0123456789abcdef", sent, at_second(start)) == NonceVerdict::fresh);
    WallTime const last_accepted = at_second(sent + 300) + milliseconds(999);
    CHECK(spend(book, "0123456789abcdef", sent, last_accepted) == NonceVerdict::replayed);
    CHECK(spend(book, "0123456789abcdef", sent + 301, at_second(sent + 301)) == NonceVerdict::fresh);
  }
}

TEST_CASE("a full book refuses what is new, still knows what is old, and has room again in time") {
  NonceBook book;
  fill(book);
  CHECK(spend(book, nonce(capacity), start, at_second(start)) == NonceVerdict::full);
  CHECK(spend(book, nonce(capacity), start, at_second(start)) == NonceVerdict::full);  // it was not spent
  CHECK(spend(book, nonce(0), start, at_second(start)) == NonceVerdict::replayed);
  CHECK(spend(book, nonce(capacity), start + 300, at_second(start + 300)) == NonceVerdict::full);
  CHECK(spend(book, nonce(capacity), start + 301, at_second(start + 301)) == NonceVerdict::fresh);
  CHECK(book.size() == 1);
}

TEST_CASE("a full book tells when there is room again: when so many have ended that one fits") {
  NonceBook book;
  WallTime const now = at_second(start) + milliseconds(300);
  CHECK(book.until_room(NonceUse::code, now) == seconds(0));
  for (std::int64_t i = 0; i < capacity; ++i) book.spend(nonce(i), start - 200 + i, at_second(start));
  REQUIRE(book.size() == limits::nonces_per_session_max);
  CHECK(book.until_room(NonceUse::code, now) == seconds(101));
  std::int64_t const kept = static_cast<std::int64_t>(limits::nonces_kept_for_codes);
  CHECK(book.until_room(NonceUse::other, now) == seconds(101 + kept));
  for (NonceUse const use : {NonceUse::code, NonceUse::other}) {
    WallTime const then = now + book.until_room(use, now);
    CHECK(book.look("a-new-nonce-of-16", use, then) == NonceVerdict::fresh);
    CHECK(book.look("a-new-nonce-of-16", use, then - seconds(1)) == NonceVerdict::full);
  }
}

TEST_CASE("a quarter of the room is for codes only") {
  NonceBook book;
  std::int64_t const kept = static_cast<std::int64_t>(limits::nonces_kept_for_codes);
  for (std::int64_t i = 0; i < capacity - kept; ++i)
    REQUIRE(spend(book, nonce(i), start, at_second(start), NonceUse::other) == NonceVerdict::fresh);
  CHECK(spend(book, nonce(capacity), start, at_second(start), NonceUse::other) == NonceVerdict::full);
  CHECK(spend(book, nonce(0), start, at_second(start), NonceUse::other) == NonceVerdict::replayed);
  CHECK(spend(book, nonce(capacity), start, at_second(start), NonceUse::code) == NonceVerdict::fresh);
}

TEST_CASE("looking spends nothing") {
  NonceBook book;
  for (int i = 0; i < 3; ++i)
    CHECK(book.look("0123456789abcdef", NonceUse::code, at_second(start)) == NonceVerdict::fresh);
  CHECK(book.size() == 0);
}

TEST_CASE("what is old is forgotten, and its memory given back") {
  NonceBook book;
  fill(book);
  book.forget_old(at_second(start + 300));
  CHECK(book.size() == limits::nonces_per_session_max);
  book.forget_old(at_second(start + 301));
  CHECK(book.size() == 0);
  CHECK(book.memory_bytes() == 0);
}

TEST_CASE("one nonce from a clock that is ahead does not hold the others back") {
  NonceBook book;
  REQUIRE(spend(book, "from-a-clock-ahead", start + 300, at_second(start)) == NonceVerdict::fresh);
  for (std::int64_t i = 1; i < capacity; ++i)
    REQUIRE(spend(book, nonce(i), start - 300, at_second(start)) == NonceVerdict::fresh);
  CHECK(spend(book, "from-a-clock-ahead", start, at_second(start + 1)) == NonceVerdict::replayed);
  book.forget_old(at_second(start + 1));
  CHECK(book.size() == 1);
}

TEST_CASE("however it is used, a book is never larger than it may be") {
  NonceBook book;
  for (std::int64_t i = 0; i < 5 * capacity; ++i) {
    std::ignore = spend(book, nonce(i), start + i % 600 - 300 + i / 10, at_second(start + i / 10));
    REQUIRE(book.size() <= limits::nonces_per_session_max);
  }
}

TEST_CASE("no acceptable request is answered twice") {
  rc::check("against a book that never forgets", [] {
    NonceBook book;
    std::map<std::string, std::int64_t> last_sent;  // of the nonces that were accepted
    std::int64_t now = start;
    auto const steps = *rc::gen::inRange(1, 200);
    for (int i = 0; i < steps; ++i) {
      now += *rc::gen::inRange(0, 120);
      std::int64_t const sent = now + *rc::gen::inRange(-300, 301);
      std::string const sent_nonce = nonce(*rc::gen::inRange(0, 10));
      auto const known = last_sent.find(sent_nonce);
      bool const must_refuse = known != last_sent.end() && known->second + 300 >= now;
      NonceVerdict const verdict = spend(book, sent_nonce, sent, at_second(now));
      RC_ASSERT(verdict == (must_refuse ? NonceVerdict::replayed : NonceVerdict::fresh));
      if (!must_refuse) last_sent[sent_nonce] = sent;
    }
  });
}

}  // namespace
}  // namespace onetap::core
