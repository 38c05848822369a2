#include "core/gate/session_book.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/limits.hpp"

namespace onetap::core {
namespace {

using namespace std::chrono_literals;

constexpr SessionLife life{.idle = 2h, .longest = 24h};
WallTime const start = wall_time_of_unix_ms(1'790'000'000'000);

AllowedAppids const served = std::vector<std::string>{"wx0123456789abcdef"};

SessionToken token(int number) { return SessionToken("token-" + std::to_string(number)); }
SessionId id(int number) { return id_of(token(number)); }

CallerKey user(int number) {
  CallerKey key;
  key.digest[0] = static_cast<unsigned char>(number);
  key.digest[1] = static_cast<unsigned char>(number >> 8);
  key.digest[2] = static_cast<unsigned char>(number >> 16);
  return key;
}

SessionRow row(int number, CallerKey const& of, WallTime used = start) {
  return {.id = id(number),
          .appid = "wx0123456789abcdef",
          .user = of,
          .sealed_openid = {},
          .opened = start,
          .used = used};
}

void open(SessionBook& book, int number, CallerKey const& of, WallTime now = start) {
  SessionRow opened = row(number, of, now);
  opened.opened = now;
  book.open({.row = opened, .signing_key = SigningKey("a key"), .nonces = NonceBook()});
}

std::optional<SessionFault> fault_of(SessionBook const& book, int number, WallTime now = start) {
  auto const found = book.look(id(number), now);
  return found ? std::nullopt : std::optional(found.error());
}

bool is_open(SessionBook const& book, int number, WallTime now = start) {
  return !fault_of(book, number, now).has_value();
}

TEST_CASE("an end that the store could not take is told again") {
  SessionBook book(life);
  open(book, 1, user(1));
  SessionChanges const changes = book.take_changes(start + 3h);
  REQUIRE(changes.ended.size() == 1);
  CHECK(book.take_changes(start + 3h).ended.empty());
  book.tell_again(changes.ended);
  CHECK(book.take_changes(start + 3h).ended == changes.ended);
}

TEST_CASE("a session is found by its token, and by no other") {
  SessionBook book(life);
  open(book, 1, user(1));
  auto const used = book.use(id(1), start);
  REQUIRE(used.has_value());
  CHECK(used->get().row.user == user(1));
  CHECK(used->get().signing_key->reveal() == "a key");
  for (SessionToken const& other : {token(2), SessionToken(), SessionToken("token-1 "),
                                    SessionToken("TOKEN-1"), SessionToken(std::string(10'000, 'x'))}) {
    auto const found = book.use(id_of(other), start);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error() == SessionFault::unknown);
  }
}

TEST_CASE("a session that is not used ends") {
  SessionBook book(life);
  open(book, 1, user(1));
  CHECK(is_open(book, 1, start + 2h - 1ms));
  CHECK(fault_of(book, 1, start + 2h) == SessionFault::expired);
  auto const used = book.use(id(1), start + 2h);
  REQUIRE_FALSE(used.has_value());
  CHECK(used.error() == SessionFault::expired);
}

TEST_CASE("each use begins the wait anew, and a look does not") {
  SessionBook book(life);
  open(book, 1, user(1));
  open(book, 2, user(2));
  REQUIRE(book.use(id(1), start + 1h).has_value());
  REQUIRE(is_open(book, 2, start + 1h));
  CHECK(is_open(book, 1, start + 3h - 1ms));
  CHECK(fault_of(book, 2, start + 2h) == SessionFault::expired);
}

TEST_CASE("a session ends a day after its login, however much it is used") {
  SessionBook book(life);
  open(book, 1, user(1));
  WallTime now = start;
  for (; now < start + 24h; now += 1h) REQUIRE(book.use(id(1), now).has_value());
  CHECK(is_open(book, 1, start + 24h - 1ms));
  CHECK(fault_of(book, 1, start + 24h) == SessionFault::expired);
  REQUIRE_FALSE(book.use(id(1), now).has_value());
}

TEST_CASE("a session that was found too old is gone") {
  SessionBook book(life);
  open(book, 1, user(1));
  REQUIRE_FALSE(book.use(id(1), start + 2h).has_value());
  CHECK(book.size() == 0);
  CHECK(fault_of(book, 1) == SessionFault::unknown);
}

TEST_CASE("a user's sixth session takes the place of the one used longest ago, and touches nobody else's") {
  SessionBook book(life);
  open(book, 100, user(2));
  for (int i = 0; i < 5; ++i) open(book, i, user(1), start + seconds(i + 1));
  REQUIRE(book.use(id(0), start + 1min).has_value());
  open(book, 5, user(1), start + 2min);
  CHECK(book.size() == limits::sessions_per_user_max + 1);
  CHECK_FALSE(is_open(book, 1, start + 2min));
  for (int const number : {0, 2, 3, 4, 5, 100}) CHECK(is_open(book, number, start + 2min));
  SessionChanges const changes = book.take_changes(start + 2min);
  REQUIRE(changes.ended.size() == 1);
  CHECK(changes.ended.front() == id(1));
}

TEST_CASE("one user who logs in without end holds no more than a user may") {
  SessionBook book(life);
  open(book, 1'000'000, user(2));
  for (int i = 0; i < 1000; ++i) open(book, i, user(1), start + seconds(i));
  CHECK(book.size() == limits::sessions_per_user_max + 1);
  CHECK(is_open(book, 1'000'000));
}

TEST_CASE("in total there are no more sessions than there may be: the one used longest ago makes room") {
  SessionBook book(life);
  int const most = static_cast<int>(limits::sessions_max);
  for (int i = 0; i < most; ++i) open(book, i, user(i), start + milliseconds(i));
  REQUIRE(book.size() == limits::sessions_max);
  REQUIRE(book.use(id(0), start + 10min).has_value());
  open(book, most, user(most), start + 10min);
  open(book, most + 1, user(most + 1), start + 10min);
  CHECK(book.size() == limits::sessions_max);
  CHECK(is_open(book, 0, start + 10min));
  CHECK(fault_of(book, 1, start + 10min) == SessionFault::unknown);
  CHECK(fault_of(book, 2, start + 10min) == SessionFault::unknown);
  CHECK(is_open(book, 3, start + 10min));
  CHECK(book.take_changes(start + 10min).ended == std::vector{id(1), id(2)});
}

TEST_CASE("sessions of an earlier run are known, without a key to sign with") {
  SessionBook book(life);
  book.load({row(1, user(1), start + 1h)}, served);
  auto const used = book.use(id(1), start + 90min);
  REQUIRE(used.has_value());
  CHECK_FALSE(used->get().signing_key.has_value());
  CHECK(used->get().row.user == user(1));
}

TEST_CASE("sessions of a mini program that is no longer served are not loaded") {
  std::vector<SessionRow> rows{row(1, user(1)), row(2, user(2))};
  rows[0].appid = "wxfedcba9876543210";
  SessionBook book(life);
  book.load(rows, served);
  CHECK(book.size() == 1);
  CHECK_FALSE(is_open(book, 1));
  CHECK(is_open(book, 2));
  SessionBook sandbox(life);
  sandbox.load(rows, AnyAppid{"wxfedcba9876543210"});
  CHECK(is_open(sandbox, 1));
  CHECK_FALSE(is_open(sandbox, 2));
}

TEST_CASE("each minute's telling forgets the nonces that can no longer come") {
  SessionBook book(life);
  for (int number : {1, 2}) {
    open(book, number, user(number));
    book.use(id(number), start)->get().nonces.spend("0123456789abcdef", unix_seconds(start), start);
  }
  auto const nonces_of = [&](int number, WallTime now) -> NonceBook const& {
    return book.look(id(number), now)->get().nonces;
  };
  std::ignore = book.take_changes(start + 300s);
  CHECK(nonces_of(1, start + 300s).size() == 1);
  REQUIRE(book.use(id(2), start + 300s).has_value());
  std::ignore = book.take_changes(start + 301s);
  for (int const number : {1, 2}) CHECK(nonces_of(number, start + 301s).memory_bytes() == 0);
}

TEST_CASE("however much is due at once, so many sessions are looked at in one go") {
  constexpr std::size_t at_once = limits::session_changes_at_once;
  constexpr int count = 2 * static_cast<int>(at_once) + 1;
  SessionBook book(life);
  for (int number = 0; number < count; ++number) {
    open(book, number, user(number));
    book.use(id(number), start)->get().nonces.spend("0123456789abcdef", unix_seconds(start), start);
  }
  std::size_t forgotten = 0;
  for (std::size_t expected : {at_once, 2 * at_once, 2 * at_once + 1}) {
    REQUIRE(book.is_behind(start + 301s));
    std::ignore = book.take_changes(start + 301s);
    forgotten = 0;
    for (int number = 0; number < count; ++number)
      forgotten += book.look(id(number), start + 301s)->get().nonces.memory_bytes() == 0 ? 1 : 0;
    CHECK(forgotten == expected);
  }
  CHECK_FALSE(book.is_behind(start + 301s));
  for (std::size_t const expected : {at_once, at_once, std::size_t{1}}) {
    REQUIRE(book.is_behind(start + 4h));
    CHECK(book.take_changes(start + 4h).ended.size() == expected);
  }
  CHECK_FALSE(book.is_behind(start + 4h));
}

TEST_CASE("in whatever order sessions are loaded, those used longest ago make room first") {
  std::vector<SessionRow> rows;
  for (int const number : {3, 6, 1, 5, 2, 4, 0}) rows.push_back(row(number, user(1), start + number * 1min));
  SessionBook book(life);
  book.load(rows, served);
  CHECK(book.size() == 5);
  CHECK_FALSE(is_open(book, 0));
  CHECK_FALSE(is_open(book, 1));
  CHECK(book.take_changes(start).ended == std::vector{id(0), id(1)});
}

TEST_CASE("what was too old when it was loaded ends, and the store hears of it") {
  SessionBook book(life);
  book.load({row(1, user(1)), row(2, user(2), start + 3h)}, served);
  SessionChanges const changes = book.take_changes(start + 4h);
  CHECK(changes.ended == std::vector{id(1)});
  CHECK(is_open(book, 2, start + 4h));
}

TEST_CASE("a use is told to the store once in five minutes") {
  SessionBook book(life);
  open(book, 1, user(1));
  for (auto const after : {1s, 299s}) REQUIRE(book.use(id(1), start + after).has_value());
  CHECK(book.take_changes(start + 299s).used.empty());
  for (auto const after : {300s, 301s, 599s}) REQUIRE(book.use(id(1), start + after).has_value());
  SessionChanges const changes = book.take_changes(start + 599s);
  REQUIRE(changes.used.size() == 1);
  CHECK(changes.used.front().first == id(1));
  CHECK(changes.used.front().second == start + 300s);
  CHECK(book.take_changes(start + 599s).used.empty());
  REQUIRE(book.use(id(1), start + 600s).has_value());
  CHECK(book.take_changes(start + 600s).used.size() == 1);
}

TEST_CASE("an end is told once, whichever way it came") {
  SessionBook book(life);
  open(book, 1, user(1));
  open(book, 2, user(2));
  REQUIRE_FALSE(book.use(id(1), start + 2h).has_value());
  std::vector<SessionId> ended = book.take_changes(start + 2h).ended;
  std::ranges::sort(ended);
  std::vector<SessionId> both{id(1), id(2)};
  std::ranges::sort(both);
  CHECK(ended == both);
  CHECK(book.size() == 0);
  CHECK(book.take_changes(start + 3h).ended.empty());
}

TEST_CASE("a user who is forgotten has no session any more, and the store is told nothing of it") {
  SessionBook book(life);
  for (int i = 0; i < 3; ++i) open(book, i, user(1));
  open(book, 3, user(2));
  book.forget_user(user(1));
  book.forget_user(user(3));
  for (int i = 0; i < 3; ++i) CHECK(fault_of(book, i) == SessionFault::unknown);
  CHECK(is_open(book, 3));
  CHECK(book.take_changes(start).ended.empty());
  open(book, 4, user(1));
  CHECK(is_open(book, 4));
}

TEST_CASE("a book that is used in any way agrees with a plain list of sessions") {
  rc::check("against the list", [] {
    SessionBook book(life);
    std::map<int, SessionRow> plain;
    WallTime now = start;
    int next = 0;
    auto const is_over = [&](SessionRow const& known) {
      return now >= known.used + life.idle || now >= known.opened + life.longest;
    };
    auto const steps = *rc::gen::inRange(1, 150);
    for (int i = 0; i < steps; ++i) {
      now += seconds(*rc::gen::inRange(1, 2400));
      auto const what = *rc::gen::inRange(0, 10);
      if (what < 4) {
        CallerKey const of = user(*rc::gen::inRange(0, 3));
        std::vector<int> theirs;
        for (auto const& [number, known] : plain) {
          if (known.user == of) theirs.push_back(number);
        }
        if (theirs.size() >= limits::sessions_per_user_max)
          plain.erase(*std::ranges::min_element(theirs, {}, [&](int n) { return plain.at(n).used; }));
        open(book, next, of, now);
        plain.emplace(next, row(next, of, now)).first->second.opened = now;
        ++next;
      } else if (what < 9) {
        int const number = *rc::gen::inRange(0, next + 1);
        auto const known = plain.find(number);
        bool const good = known != plain.end() && !is_over(known->second);
        RC_ASSERT(book.look(id(number), now).has_value() == good);
        RC_ASSERT(book.use(id(number), now).has_value() == good);
        if (good) known->second.used = now;
        if (!good && known != plain.end()) plain.erase(known);
      } else {
        CallerKey const of = user(*rc::gen::inRange(0, 3));
        book.forget_user(of);
        std::erase_if(plain, [&](auto const& known) { return known.second.user == of; });
      }
      RC_ASSERT(book.size() == plain.size());
    }
  });
}

}  // namespace
}  // namespace onetap::core
