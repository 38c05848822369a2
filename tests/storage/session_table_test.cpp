#include <algorithm>

#include <boost/asio/detached.hpp>

#include "core/crypto/keyring.hpp"
#include "core/limits.hpp"
#include "storage/embedded_sql.hpp"
#include "storage/session_table.hpp"
#include "tests/storage/raw_ledger.hpp"
#include "tests/storage/storage_fixture.hpp"

namespace onetap::tests {
namespace {

namespace admin = core::admin;
using namespace std::chrono_literals;

core::SessionId session_id(int number) { return {digest_of(5000 + number)}; }

core::SealedBytes sealed_as(std::string const& text) { return {text.begin(), text.end()}; }

/// A ledger, its users and its operator.
class Gate {
 public:
  Gate() : speaker(tested) {}

  [[nodiscard]] core::LoginRow login(int session, int user, int key) const {
    return {.session = {.id = session_id(session),
                        .appid = "wx0000000000000001",
                        .user = caller(user),
                        .sealed_openid = sealed_as("openid-" + std::to_string(user)),
                        .opened = tested.now(),
                        .used = tested.now()},
            .sealed_session_key = sealed_as("key-" + std::to_string(key)),
            .session_key_digest = digest_of(7000 + key)};
  }
  bool log_in(int session, int user, int key) {
    return await(tested.loop(), tested.thread().add_login(login(session, user, key)));
  }
  bool change(core::SessionChanges changes) {
    return await(tested.loop(), tested.thread().change_sessions(std::move(changes)));
  }
  /// As the numbers of the keys, newest first.
  std::string keys_of(int user) {
    auto const keys = await(tested.loop(), tested.thread().session_keys(caller(user)));
    REQUIRE(keys.has_value());
    std::string text;
    for (core::SealedBytes const& key : *keys) text += std::string(key.begin() + 4, key.end()) + " ";
    return text;
  }
  /// What a start finds now, as the numbers of the sessions.
  std::vector<int> sessions_after_restart() {
    tested.crash_and_restart();
    std::vector<int> numbers;
    for (core::SessionRow const& row : tested.sessions()) {
      int number = 0;
      while (session_id(number) != row.id) ++number;
      numbers.push_back(number);
    }
    return numbers;
  }

  admin::Done erase(admin::ErasePerson const& person) {
    admin::Command command{.act = person, .at = tested.now()};
    admin::Answer answer = await(tested.loop(), tested.thread().administer(std::move(command)));
    if (!answer) FAIL(answer.error().sentence);
    return *answer;
  }
  void consume(int code, int user) {
    core::Intent intent = speaker.intent(code, caller(user));
    intent.user = caller(user);
    ledger::BeginResult const began = await(tested.loop(), tested.port().begin(intent));
    speaker.settle_ok(std::get<ledger::Started>(began).attempt);
  }
  std::string value(std::string const& sql) {
    auto reports = storage::Reports::open(tested.path());
    if (!reports) FAIL(reports.error());
    return storage::to_text(reports->query(sql, {}).rows.at(0).at(0));
  }
  void check_verified() {
    for (std::string const& violation : tested.violations()) FAIL_CHECK(violation);
  }

  SqliteUnderTest tested;
  Speaker speaker;
};

std::vector<std::string> plan_of(storage::Connection& connection, std::string_view sql) {
  storage::Statement explain(connection, "EXPLAIN QUERY PLAN " + std::string(sql));
  std::vector<std::string> steps;
  storage::Rows rows = explain.query({});
  while (rows.next()) steps.push_back(rows.text(3));
  return steps;
}

}  // namespace

TEST_CASE("a login is there after a crash, as it was") {
  Gate gate;
  core::LoginRow const login = gate.login(1, 7, 3);
  CHECK(gate.log_in(1, 7, 3));
  CHECK(gate.sessions_after_restart() == std::vector<int>{1});
  core::SessionRow const& row = gate.tested.sessions().front();
  CHECK(row.appid == login.session.appid);
  CHECK(row.user == login.session.user);
  CHECK(row.sealed_openid == login.session.sealed_openid);
  CHECK(row.opened == login.session.opened);
  CHECK(row.used == login.session.used);
  CHECK(gate.keys_of(7) == "3 ");
  CHECK(gate.keys_of(8).empty());
  gate.check_verified();
}

TEST_CASE("of a user's session_keys the newest two stay, and one that comes again is renewed") {
  Gate gate;
  gate.log_in(1, 7, 1);
  gate.log_in(2, 8, 9);
  CHECK(gate.keys_of(7) == "1 ");
  gate.log_in(3, 7, 2);
  CHECK(gate.keys_of(7) == "2 1 ");
  gate.log_in(4, 7, 1);
  CHECK(gate.keys_of(7) == "1 2 ");
  SUBCASE("the third goes") { gate.log_in(5, 7, 3); }
  SUBCASE("also when the clock went back") {
    gate.tested.clock().jump_wall(-3h);
    gate.log_in(5, 7, 3);
  }
  CHECK(gate.keys_of(7) == "3 1 ");
  CHECK(gate.keys_of(8) == "9 ");
}

TEST_CASE("uses and ends are there after a crash; the most recently used comes first") {
  Gate gate;
  for (int session = 1; session <= 4; ++session) gate.log_in(session, session, session);
  gate.tested.pass(10min);
  core::WallTime const later = gate.tested.now();
  core::SessionChanges changes;
  changes.used = {{session_id(3), later}, {session_id(99), later}};  // 99: ended meanwhile
  changes.ended = {session_id(1), session_id(4), session_id(98)};
  CHECK(gate.change(std::move(changes)));
  CHECK(gate.sessions_after_restart() == std::vector<int>{3, 2});
  CHECK(gate.tested.sessions().front().used == later);
  CHECK(gate.tested.sessions().front().opened == later - 10min);
}

TEST_CASE("a start finds those that live, and the dead are gone") {
  Gate gate;
  gate.log_in(1, 1, 1);
  gate.tested.pass(1h);
  gate.log_in(2, 2, 2);
  gate.tested.pass(1h - 1ms);
  SUBCASE("up to the end of the idle time") {
    CHECK(gate.sessions_after_restart() == std::vector<int>{2, 1});
  }
  SUBCASE("not beyond it") {
    gate.tested.pass(1ms);
    CHECK(gate.sessions_after_restart() == std::vector<int>{2});
    CHECK(gate.value("SELECT count(*) FROM session") == "1");
  }
  SUBCASE("however busy, not beyond their longest time") {
    gate.tested.pass(22h + 1ms);
    core::SessionChanges busy;
    busy.used = {{session_id(1), gate.tested.now()}, {session_id(2), gate.tested.now()}};
    gate.change(std::move(busy));
    CHECK(gate.sessions_after_restart() == std::vector<int>{2});
  }
}

TEST_CASE("no more sessions are loaded than asked for: those used last, and the others are deleted") {
  RawLedger raw;
  raw.connection.run(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
      " INSERT INTO session SELECT randomblob(32), 1, randomblob(32), x'00', 1000, 1000 + i FROM n");
  storage::SessionTable table(raw.connection);
  auto const rows = table.load({.idle = 2h, .longest = 24h}, core::wall_time_of_unix_ms(2000), 30);
  REQUIRE(rows.size() == 30);
  CHECK(core::unix_ms(rows.front().used) == 1100);
  CHECK(core::unix_ms(rows.back().used) == 1071);
  CHECK(raw.connection.integer("SELECT count(*) FROM session") == 30);
  CHECK(raw.connection.integer("SELECT min(used_at) FROM session") == 1071);
}

TEST_CASE("maintenance deletes sessions past their longest time, and a day later their session_keys") {
  Gate gate;
  gate.log_in(1, 1, 1);
  gate.tested.pass(1h);
  gate.log_in(2, 2, 2);
  auto const left = [&] {
    gate.tested.maintain();
    return gate.value("SELECT (SELECT count(*) FROM session) || ' ' || (SELECT count(*) FROM session_key)");
  };
  gate.tested.pass(23h - 1ms);
  CHECK(left() == "2 2");
  gate.tested.pass(1ms);
  CHECK(left() == "1 2");
  gate.tested.pass(24h);
  CHECK(left() == "0 1");
  gate.tested.pass(1h);
  CHECK(left() == "0 0");
}

TEST_CASE("maintenance has no end before all that is over is gone") {
  Gate gate;
  gate.log_in(1, 1, 1);
  {
    storage::Connection connection(gate.tested.path(), storage::Access::read_write);
    storage::Statement fill(
        connection,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
        " INSERT INTO session SELECT randomblob(32), 1, randomblob(32), x'00', ?1, ?1 FROM n");
    fill.run({core::unix_ms(gate.tested.now())});
  }
  gate.tested.pass(24h);
  gate.tested.maintain();
  gate.tested.maintain();
  gate.tested.close();  // runs what maintenance asked for itself
  CHECK(gate.value("SELECT count(*) FROM session") == "0");
}

TEST_CASE("an operator's command leaves sessions alone") {
  Gate gate;
  gate.log_in(1, 1, 1);
  gate.tested.pass(3h);
  gate.tested.close();
  std::filesystem::path const copy = gate.tested.folder() / "copy.db";
  std::filesystem::copy_file(gate.tested.path(), copy);
  storage::LedgerOptions options = options_for(copy, gate.tested.clock());
  options.settings.session_life = std::nullopt;
  storage::LedgerFile const file = opened(options);
  static_cast<void>(file.ledger->maintain(gate.tested.clock().now()));
  CHECK(file.recovery.sessions.empty());
  CHECK(storage::Connection(copy, storage::Access::read_only).integer("SELECT count(*) FROM session") == 1);
}

TEST_CASE("a login that cannot be written is refused, and nothing of it is there") {
  Gate gate;
  gate.log_in(1, 1, 1);
  SUBCASE("when the ledger is closed") {
    gate.tested.close();
    CHECK_FALSE(gate.log_in(2, 2, 2));
    core::SessionChanges changes;
    changes.ended = {session_id(1)};
    CHECK_FALSE(gate.change(std::move(changes)));
    CHECK_FALSE(await(gate.tested.loop(), gate.tested.thread().session_keys(caller(1))).has_value());
  }
  SUBCASE("when too much is queued") {
    storage::Connection slow_disk(gate.tested.path(), storage::Access::read_write);
    slow_disk.run("BEGIN IMMEDIATE");
    for (std::size_t i = 0; i < core::limits::ledger_queue_max; ++i) {
      asio::co_spawn(gate.tested.loop(), gate.tested.thread().session_keys(caller(1)), asio::detached);
    }
    gate.tested.loop().restart();
    while (gate.tested.loop().poll_one() > 0) {
    }
    REQUIRE_FALSE(gate.tested.thread().writable());
    std::optional<bool> stored;
    asio::co_spawn(gate.tested.loop(), gate.tested.thread().add_login(gate.login(2, 2, 2)),
                   [&stored](std::exception_ptr const& error, bool done) {
                     CHECK_FALSE(error);
                     stored = done;
                   });
    while (gate.tested.loop().poll_one() > 0) {
    }
    CHECK(stored == false);
    slow_disk.run("COMMIT");
    gate.tested.loop().run();
  }
  CHECK(gate.sessions_after_restart() == std::vector<int>{1});
}

TEST_CASE("a session without its user's session_key, or the other way round, is never committed") {
  TempFolder folder;
  StandingClock clock;
  storage::LedgerFile const file = opened(options_for(folder / "onetap.db", clock));
  core::LoginRow login{.session = {.id = session_id(1),
                                   .appid = "wx1",
                                   .user = caller(1),
                                   .sealed_openid = {1},
                                   .opened = clock.wall(),
                                   .used = clock.wall()},
                       .sealed_session_key = {2},
                       .session_key_digest = digest_of(1)};
  core::LoginRow same_token = login;
  same_token.session.user = caller(2);
  std::vector<storage::Command> const batch{
      {.action = login, .steady = clock.steady()},
      {.action = same_token, .steady = clock.steady()},
      {.action = storage::SessionKeysCommand{caller(2)}, .steady = clock.steady()}};
  std::vector<storage::CommandResult> const results = file.ledger->apply(batch);
  CHECK(std::holds_alternative<storage::Settled>(results.at(0)));
  CHECK(std::holds_alternative<storage::Refused>(results.at(1)));
  CHECK(std::get<std::vector<core::SealedBytes>>(results.at(2)).empty());
}

TEST_CASE("a consumption knows its user, and its stored answer is that user's in any session") {
  Gate gate;
  gate.consume(1, 7);
  CHECK(gate.value("SELECT hex(user_key) = hex(caller_key) FROM consumption JOIN live_code"
                   " ON live_code.consumption = consumption.id") == "1");
  CHECK(stored(gate.speaker.find(1, caller(7))).state == State::ok);
  CHECK(is_not_yours(gate.speaker.find(1, caller(8)), false));
  gate.speaker.settle_ok(gate.speaker.started(2, caller(1)));
  CHECK(gate.value("SELECT count(*) FROM consumption WHERE user_key IS NULL") == "1");
}

TEST_CASE("an erased user has no session and no session_key") {
  Gate gate;
  gate.log_in(1, 7, 1);
  gate.log_in(2, 7, 2);
  gate.log_in(3, 8, 3);
  gate.consume(1, 7);
  admin::Done const done = gate.erase({.phone_key = {}, .user_key = caller(7).digest});
  CHECK(done.count == 1);
  CHECK(done.users == std::vector{caller(7)});
  CHECK(done.sentence == "erased in 1 consumption and 2 sessions; the entries stay");
  CHECK(gate.keys_of(7).empty());
  CHECK(gate.keys_of(8) == "3 ");
  CHECK(gate.value("SELECT count(*) FROM consumption WHERE user_key IS NOT NULL") == "0");
  CHECK(is_not_yours(gate.speaker.find(1, caller(7)), false));
  gate.check_verified();
  CHECK(gate.sessions_after_restart() == std::vector<int>{3});
}

TEST_CASE("who is erased by number loses the sessions of every user who brought it") {
  Gate gate;
  gate.log_in(1, 7, 1);
  gate.log_in(2, 8, 2);
  gate.log_in(3, 9, 3);
  gate.consume(1, 7);
  gate.consume(2, 8);
  gate.consume(3, 8);
  gate.speaker.settle_ok(gate.speaker.started(4, caller(1)));  // without a session
  admin::Done const done = gate.erase({.phone_key = digest_of(77), .user_key = {}});
  CHECK(done.count == 4);
  std::vector<core::CallerKey> users = done.users;
  std::ranges::sort(users);
  CHECK(users == std::vector{caller(7), caller(8)});
  CHECK(gate.sessions_after_restart() == std::vector<int>{3});
  CHECK(gate.keys_of(7) + gate.keys_of(8) + gate.keys_of(9) == "3 ");
  gate.check_verified();
}

TEST_CASE("nobody's sessions end when an erasure is refused") {
  Gate gate;
  gate.log_in(1, 7, 1);
  core::Intent intent = gate.speaker.intent(1, caller(7));
  intent.user = caller(7);
  static_cast<void>(await(gate.tested.loop(), gate.tested.port().begin(intent)));
  admin::Command command{.act = admin::ErasePerson{.phone_key = {}, .user_key = caller(7).digest},
                         .at = gate.tested.now()};
  CHECK_FALSE(await(gate.tested.loop(), gate.tested.thread().administer(std::move(command))).has_value());
  CHECK(gate.keys_of(7) == "1 ");
  CHECK(gate.sessions_after_restart() == std::vector<int>{1});
}

TEST_CASE("with another data key, openids and session_keys open under it alone") {
  using core::crypto::Keyring;
  using core::crypto::SealedField;
  core::Digest const first = digest_of(1);
  core::Digest const second = digest_of(2);
  Keyring both(first);
  std::int64_t const row = core::row_of(caller(7));
  Gate gate;
  core::LoginRow login = gate.login(1, 7, 1);
  login.session.sealed_openid = both.seal(SealedField::openid, row, "an openid");
  login.sealed_session_key = both.seal(SealedField::session_key, row, "a session_key");
  REQUIRE(await(gate.tested.loop(), gate.tested.thread().add_login(login)));
  both.seal_with(second);
  admin::RotateKey rotation{.key_fingerprint = Keyring::fingerprint_of(second), .reseal = {}};
  rotation.reseal = [&both](SealedField field, std::int64_t of_row,
                            core::SealedBytes const& sealed) -> std::optional<core::SealedBytes> {
    if (field == SealedField::pepper) return sealed;  // the fixture's is none
    auto const clear = both.open(field, of_row, sealed);
    if (!clear) return std::nullopt;
    return both.seal(field, of_row, clear->reveal());
  };
  admin::Command command{.act = std::move(rotation), .at = gate.tested.now()};
  admin::Answer const answer = await(gate.tested.loop(), gate.tested.thread().administer(std::move(command)));
  REQUIRE(answer.has_value());
  CHECK(answer->count == 3);

  Keyring const newer(second);
  auto const keys = await(gate.tested.loop(), gate.tested.thread().session_keys(caller(7)));
  REQUIRE(keys.value().size() == 1);
  CHECK(newer.open(SealedField::session_key, row, keys->front()).value().reveal() == "a session_key");
  storage::Connection connection(gate.tested.path(), storage::Access::read_only);
  storage::Statement read(connection, "SELECT sealed_openid FROM session");
  storage::Rows rows = read.query({});
  REQUIRE(rows.next());
  CHECK(newer.open(SealedField::openid, row, rows.bytes(0)).value().reveal() == "an openid");
}

TEST_CASE("what a session or a session_key is never changes") {
  RawLedger raw;
  raw.connection.run(
      "INSERT INTO session VALUES (zeroblob(32), 1, zeroblob(32), x'01', 5, 5);"
      "INSERT INTO session_key VALUES (1, zeroblob(32), zeroblob(32), x'01', 5)");
  CHECK(raw.takes("UPDATE session SET used_at = 6, sealed_openid = x'02'"));
  CHECK(raw.takes("UPDATE session_key SET seen_at = 6, sealed_key = x'02'"));
  for (std::string const change :
       {"token_digest = randomblob(32)", "user_key = randomblob(32)", "opened_at = 6", "app = app"}) {
    CAPTURE(change);
    CHECK_FALSE(raw.takes("UPDATE session SET " + change));
  }
  CHECK_FALSE(raw.takes("UPDATE session_key SET user_key = randomblob(32)"));
  CHECK_FALSE(raw.takes("UPDATE session_key SET key_digest = randomblob(32)"));
  CHECK_FALSE(raw.takes("INSERT INTO session VALUES (randomblob(31), 1, zeroblob(32), x'01', 5, 5)"));
  CHECK_FALSE(raw.takes("INSERT INTO session_key VALUES (2, zeroblob(32), zeroblob(32), x'01', 5)"));
}

TEST_CASE("no statement of sessions steps through all of them, but the start's") {
  RawLedger raw;
  auto const statements = storage::named_statements(storage::sql_file("sessions.sql"));
  REQUIRE(statements.size() == 11);
  for (auto const& [name, sql] : statements) {
    std::vector<std::string> const steps = plan_of(raw.connection, sql);
    bool const scans = std::ranges::any_of(steps, [](std::string const& step) {
      return step.starts_with("SCAN s") || step.starts_with("SCAN k");
    });
    bool const of_the_start =
        name == "delete_dead_sessions" || name == "delete_surplus_sessions" || name == "list_sessions";
    CAPTURE(name);
    CHECK(scans == of_the_start);
  }
}

}  // namespace onetap::tests
