#include <doctest/doctest.h>

#include <set>

#include "app/sandbox/token_book.hpp"

using namespace onetap::app;
using namespace std::chrono_literals;
namespace core = onetap::core;

namespace {

constexpr std::uint64_t seed = 7;
constexpr char const* app = "wx1111111111111111";
constexpr char const* other_app = "wx2222222222222222";

constexpr Moment at(core::seconds since_start) {
  // 2026-11-22 08:00:00 UTC, four in the afternoon in China
  return {.steady = core::SteadyTime(since_start + 1000h),
          .wall = core::wall_time_of_unix_ms(1'795'334'400'000) + since_start};
}

}  // namespace

TEST_CASE("a stable token is the same one until the last 5 minutes of its life") {
  TokenBook book(seed, 7200s);
  IssuedToken const first = book.stable(app, at(0s).steady);
  CHECK(first.expires_in == 7200s);
  CHECK(first.token.size() <= 512);
  IssuedToken const later = book.stable(app, at(6899s).steady);
  CHECK(later.token == first.token);
  CHECK(later.expires_in == 301s);

  IssuedToken const second = book.stable(app, at(6900s).steady);
  CHECK(second.token != first.token);
  CHECK(second.expires_in == 7200s);
  CHECK(book.standing(first.token, at(7199s).steady).errcode == 0);
  CHECK(book.standing(first.token, at(7200s).steady).errcode == 42001);
  CHECK(book.standing(second.token, at(7200s).steady).errcode == 0);
}

TEST_CASE("a token says whose it is, and apps do not share one") {
  TokenBook book(seed, 7200s);
  IssuedToken const ours = book.stable(app, at(0s).steady);
  IssuedToken const theirs = book.stable(other_app, at(0s).steady);
  CHECK(ours.token != theirs.token);
  CHECK(book.standing(ours.token, at(1s).steady).appid == app);
  CHECK(book.standing(theirs.token, at(1s).steady).appid == other_app);
}

TEST_CASE("a token of another run is not good") {
  TokenBook book(seed, 7200s);
  TokenBook another(seed + 1, 7200s);
  CHECK(book.standing(another.stable(app, at(0s).steady).token, at(0s).steady).errcode == 40001);
}

TEST_CASE("a forced refresh kills the old stable token at once and leaves the plain one alone") {
  TokenBook book(seed, 7200s);
  IssuedToken const old = book.stable(app, at(0s).steady);
  IssuedToken const plain = book.plain(app, at(0s).steady);
  IssuedToken const others = book.stable(other_app, at(0s).steady);
  auto const fresh = book.force_refresh(app, at(60s));
  REQUIRE(fresh);
  CHECK(fresh->token != old.token);
  CHECK(book.standing(old.token, at(60s).steady).errcode == 40001);
  CHECK(book.standing(plain.token, at(60s).steady).errcode == 0);
  CHECK(book.standing(others.token, at(60s).steady).errcode == 0);
  CHECK(book.stable(app, at(61s).steady).token == fresh->token);
}

TEST_CASE("forced refreshes closer than 30 seconds return the current token") {
  TokenBook book(seed, 7200s);
  auto const first = book.force_refresh(app, at(0s));
  auto const too_soon = book.force_refresh(app, at(29s));
  auto const later = book.force_refresh(app, at(30s));
  REQUIRE(first);
  REQUIRE(too_soon);
  REQUIRE(later);
  CHECK(too_soon->token == first->token);
  CHECK(later->token != first->token);
}

TEST_CASE("20 forced refreshes a day, by China's calendar") {
  TokenBook book(seed, 7200s);
  for (int i = 0; i < 20; ++i) CHECK(book.force_refresh(app, at(i * 60s)));
  CHECK_FALSE(book.force_refresh(app, at(7h + 59min + 59s)));
  CHECK(book.force_refresh(app, at(8h)));  // midnight in China
}

TEST_CASE("a plain token is new each time, and the one before lives 5 more minutes") {
  TokenBook book(seed, 7200s);
  IssuedToken const stable = book.stable(app, at(0s).steady);
  IssuedToken const first = book.plain(app, at(0s).steady);
  IssuedToken const second = book.plain(app, at(10s).steady);
  CHECK(first.token != second.token);
  CHECK(book.standing(first.token, at(309s).steady).errcode == 0);
  CHECK(book.standing(first.token, at(310s).steady).errcode == 42001);
  CHECK(book.standing(second.token, at(310s).steady).errcode == 0);
  CHECK(book.standing(stable.token, at(310s).steady).errcode == 0);
}

TEST_CASE("a retired token is still good, but no longer handed out") {
  TokenBook book(seed, 7200s);
  IssuedToken const first = book.stable(app, at(0s).steady);
  book.retire(first.token);
  IssuedToken const second = book.stable(app, at(1s).steady);
  CHECK(second.token != first.token);
  CHECK(book.standing(first.token, at(1s).steady).errcode == 0);
}

TEST_CASE("killed tokens answer with the errcode they were killed by, and new ones come") {
  TokenBook book(seed, 7200s);
  IssuedToken const first = book.stable(app, at(0s).steady);
  book.kill_all(42001);
  CHECK(book.standing(first.token, at(1s).steady).errcode == 42001);
  IssuedToken const second = book.stable(app, at(1s).steady);
  CHECK(book.standing(second.token, at(1s).steady).errcode == 0);
  book.kill_all(40014);
  CHECK(book.standing(first.token, at(1s).steady).errcode == 42001);
  CHECK(book.standing(second.token, at(1s).steady).errcode == 40014);
}

TEST_CASE("who asks for tokens without end loses the oldest") {
  TokenBook book(seed, 7200s);
  std::string const first = book.plain(app, at(0s).steady).token;
  std::set<std::string> tokens{first};
  for (int i = 0; i < 256; ++i) tokens.insert(book.plain(app, at(0s).steady).token);
  CHECK(tokens.size() == 257);
  CHECK(book.standing(first, at(1s).steady).errcode == 40001);
}
